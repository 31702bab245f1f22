/**
 * Where the logs of a run ended when its writer last looked. A log that was cut off between two lines
 * looks like one that ends there, so this is kept beside them, in `logs.json`, written only when the
 * lines are on the disk: a log may be longer than it says, never shorter.
 */
import { z } from 'zod';
import { readSealed, writeSealed } from '../sealed.js';
import { logEndSchema } from './chain.js';

const logEndsSchema = z.object({
  logs: z.object({
    events: logEndSchema.optional(),
    samples: logEndSchema.optional(),
    klSamples: logEndSchema.optional(),
    items: logEndSchema.optional(),
  }),
});
export type LogEnds = z.infer<typeof logEndsSchema>['logs'];

/** None for a run of an earlier version, or one that was killed early. Throws what `readSealed` throws. */
export function readLogEnds(file: string): LogEnds {
  const remedy =
    'Restore the file from a backup, or delete it: the logs are then taken as they are.';
  return readSealed(file, logEndsSchema, { remedy })?.logs ?? {};
}

/** Throws `WRITE_FAILED`. */
export function writeLogEnds(file: string, logs: LogEnds): void {
  writeSealed(file, { logs });
}
