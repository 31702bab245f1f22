/** What a killed job leaves half-written in its run folder, under the names of `files.ts` and co. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError, readError } from '../files.js';
import type { RunFolder } from '../runs/runFolder.js';

/** A file or folder being written or replaced, a checkpoint being filled, a lock being taken. */
const temporary = [/\.(tmp|old)-\d+$/, /^tmp-\d+$/, /^lock\.(stale-)?[\da-f-]+$/];

/**
 * Removes them. Whoever calls holds the run's lock, so nobody is writing them now. Throws
 * `READ_FAILED`.
 */
export function removeLeftovers({ folder, paths }: RunFolder): void {
  for (const place of [folder, paths.checkpoints]) {
    for (const name of namesIn(place)) {
      if (!temporary.some((pattern) => pattern.test(name))) continue;
      rmSync(join(place, name), { recursive: true, force: true });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    throw readError(folder, error);
  }
}
