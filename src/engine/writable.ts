/** Whether a folder can be written to, and how much is in it. */
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { writeError } from '../files.js';

/**
 * Throws `WRITE_FAILED` where a folder, or the nearest above it that exists, cannot be written to.
 * `thorough` makes a folder there and removes it: only that is sure on every system.
 */
export function requireWritable(folder: string, thorough: boolean): void {
  const existing = nearestExisting(folder);
  try {
    if (thorough) rmdirSync(mkdtempSync(join(existing, '.cfs-try-')));
    // A file is none that one can write in.
    else accessSync(`${existing}/.`, constants.W_OK);
  } catch (error) {
    throw writeError(folder, error);
  }
}

/** Bytes of all files in a folder and below; 0 where it is not there. */
export function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { encoding: 'utf8', recursive: true }).reduce((sum, name) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    return found?.isFile() === true ? sum + found.size : sum;
  }, 0);
}

function nearestExisting(folder: string): string {
  const above = dirname(folder);
  return existsSync(folder) || above === folder ? folder : nearestExisting(above);
}
