/** What a killed job leaves half-written in its run folder, under the names of `files.ts` and co. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFolder } from '../runs/runFolder.js';

/** A file or folder being written or replaced, a checkpoint being filled, a lock being taken. */
const temporary = [/\.(tmp|old)-\d+$/, /^tmp-\d+$/, /^lock\.(stale-)?[\da-f-]+$/];

/** Removes them. Whoever calls holds the run's lock, so nobody is writing them now. */
export function removeLeftovers({ folder, paths }: RunFolder): void {
  for (const place of [folder, paths.checkpoints]) {
    if (!existsSync(place)) continue;
    for (const name of readdirSync(place)) {
      if (!temporary.some((pattern) => pattern.test(name))) continue;
      rmSync(join(place, name), { recursive: true, force: true });
    }
  }
}
