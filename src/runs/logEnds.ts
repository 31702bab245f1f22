/**
 * Where the logs of a run ended when its writer last looked, as `logs.json` says; where somebody has
 * deleted that, as the newest checkpoint says. Both are written only when the lines are on the disk: a
 * log may be longer than they say, never shorter.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CfsError } from '../errors.js';
import { isSystemError, readError } from '../files.js';
import {
  checkpointState,
  isCheckpointName,
  logEndsSchema,
  type LogEnds,
} from '../protocol/logEnds.js';
import { readSealed, writeSealed } from '../sealed.js';

const fileSchema = z.object({ logs: logEndsSchema });
/** What is read of a checkpoint here; those of earlier versions do not say it. */
const checkpointSchema = z.looseObject({ logs: logEndsSchema.optional() });

/** None for a run of an earlier version, or one that was killed early. Throws what `readSealed` throws. */
export function readLogEnds(paths: { logs: string; checkpoints: string }): LogEnds {
  const remedy =
    'Restore the file from a backup, or delete it: the newest checkpoint then says where the logs ended.';
  return readSealed(paths.logs, fileSchema, { remedy })?.logs ?? checkpointEnds(paths.checkpoints);
}

/** Throws `WRITE_FAILED`. */
export function writeLogEnds(file: string, logs: LogEnds): void {
  writeSealed(file, { logs });
}

/** Of the newest checkpoint whose state is sound: whoever uses checkpoints tells of the others. */
function checkpointEnds(folder: string): LogEnds {
  for (const step of checkpointSteps(folder)) {
    try {
      const state = readSealed(join(folder, step, checkpointState), checkpointSchema, {
        remedy: '',
      });
      if (state) return state.logs ?? {};
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
    }
  }
  return {};
}

/** The newest first. */
function checkpointSteps(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(isCheckpointName)
      .sort((a, b) => Number(b) - Number(a));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'ENOENT') return [];
    throw readError(folder, error);
  }
}
