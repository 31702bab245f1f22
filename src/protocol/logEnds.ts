/**
 * Where the logs of a run ended once. A log that was cut off between two lines looks like one that ends
 * there, so this is kept beside the logs, in `logs.json`, and in the state of every checkpoint.
 */
import { z } from 'zod';

/** So many lines, and the seal of the last one; see `src/runs/chain.ts`. */
export const logEndSchema = z.object({ lines: z.int().nonnegative(), seal: z.string() });
export type LogEnd = z.infer<typeof logEndSchema>;

export const logEndsSchema = z.object({
  events: logEndSchema.optional(),
  samples: logEndSchema.optional(),
  klSamples: logEndSchema.optional(),
  items: logEndSchema.optional(),
});
export type LogEnds = z.infer<typeof logEndsSchema>;

/** The file of a checkpoint's folder, `checkpoints/STEP/`, that holds all but its tensors. */
export const checkpointState = 'state.json';

/** Whether this is the name of a checkpoint's folder, as a number without zeros before it. */
export function isCheckpointName(name: string): boolean {
  return /^(0|[1-9]\d*)$/.test(name);
}
