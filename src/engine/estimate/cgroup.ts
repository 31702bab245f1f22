/**
 * What the limit of a container leaves, on Linux. Node knows the limit; what is used of it counts too,
 * without the file pages that the kernel gives back when somebody needs them.
 */
import { join } from 'node:path';
import { controlGroups } from '../../runs/controlGroups.js';
import { readTextFile } from '../../reading.js';

/** What is used, and the fields of `memory.stat` with the pages of files in it. */
const usage = {
  1: { used: 'memory.usage_in_bytes', pages: ['total_inactive_file', 'total_active_file'] },
  2: { used: 'memory.current', pages: ['inactive_file', 'active_file'] },
} as const;

/** The first version writes a number like this where there is no limit. */
const noLimit = 2 ** 60;

/** Bytes that the limits of this process's groups leave; undefined where there are none. */
export function containerMemory(root = '/'): number | undefined {
  const rooms = controlGroups(root).flatMap(({ version, levels, limit }) =>
    levels.flatMap((folder) => roomIn(folder, { limit, ...usage[version] }) ?? []),
  );
  return rooms.length > 0 ? Math.min(...rooms) : undefined;
}

interface Names {
  limit: string;
  used: string;
  pages: readonly string[];
}

function roomIn(folder: string, { limit, used, pages }: Names): number | undefined {
  const most = Number(read(join(folder, limit)));
  const taken = Number(read(join(folder, used)));
  // Where there is no limit it is the word `max`, or a number beyond all memory.
  if (!(most > 0 && most < noLimit) || !Number.isFinite(taken)) return undefined;
  const statistics = read(join(folder, 'memory.stat')) ?? '';
  const givenBack = pages.reduce((sum, name) => {
    const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics);
    return sum + Number(found?.[1] ?? 0);
  }, 0);
  return Math.max(0, most - Math.max(0, taken - givenBack));
}

function read(file: string): string | undefined {
  try {
    return readTextFile(file);
  } catch {
    // Not there, or not to be read: that is no limit we could know of.
    return undefined;
  }
}
