/** What tells without reading a file whether it is still the one that was read. */
import { statSync } from 'node:fs';
import { isSystemError, readError } from './files.js';
import { requireFile } from './reading.js';

/**
 * Within one tick of the file system's clock a file can be written again and keep its times. The
 * stamp of one that was written less than this before says nothing yet.
 */
const settledMs = 2000;

/** What changes when a file is written or replaced. Throws `READ_FAILED`, also for what is no file. */
export function fileStamp(file: string): string {
  try {
    const found = statSync(file, { bigint: true });
    requireFile(file, found);
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    throw isSystemError(error) ? readError(file, error) : error;
  }
}

/** Whether the last change, the end of a stamp, is long enough ago for the stamp to tell the next. */
export function isSettled(stamp: string): boolean {
  const changedMs = Number(BigInt(stamp.split(':').at(-1) ?? 0) / 1_000_000n);
  return Math.abs(Date.now() - changedMs) > settledMs;
}
