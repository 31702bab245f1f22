/**
 * The items of runs, read when someone asks for them and kept until their file changes. They may be
 * many, so reading pauses again and again for what else the editor has to do.
 */
import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { isSystemError } from '../../files.js';
import type { ItemRecord } from '../../protocol/records.js';
import { readItems, type RunFolder } from '../../runs/runFolder.js';

/** Longest stretch of reading, in milliseconds. */
const stretchMs = 15;

export interface ItemCache {
  /** None where the run has no such file yet. Throws `RECORD_BROKEN`. */
  items(run: RunFolder): Promise<readonly ItemRecord[]>;
  clear(): void;
}

export function createItemCache(): ItemCache {
  const cached = new Map<string, { stamp: string; items: Promise<ItemRecord[]> }>();
  return {
    items: async (run) => {
      const stamp = await stampOf(run.paths.items);
      const known = cached.get(run.folder);
      if (known?.stamp === stamp) return known.items;
      const items = collect(readItems(run));
      cached.set(run.folder, { stamp, items });
      // A failure is told to who asked; the next one tries again.
      items.catch(() => cached.delete(run.folder));
      return items;
    },
    clear: () => cached.clear(),
  };
}

async function collect<T>(source: Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  let pause = performance.now() + stretchMs;
  for (const value of source) {
    all.push(value);
    if (performance.now() < pause) continue;
    await setImmediate();
    pause = performance.now() + stretchMs;
  }
  return all;
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(file);
    return `${mtimeMs} ${size}`;
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return 'missing';
    throw error;
  }
}
