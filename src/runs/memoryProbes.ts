/**
 * What a system says of its memory, as files and the number to find in each, so that a thread which is
 * made from text (`heartbeat.ts`) can read the same as the rest of the program. It is kept to tell,
 * after a process was killed, whether memory ran out. Linux only: elsewhere there are no such files,
 * and Node's own numbers must do.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { controlGroups } from './controlGroups.js';
import { readTextFile } from '../reading.js';

/**
 * Bytes, all but the last. `limit` and `used` are those of the container or service whose limit is the
 * tightest; what is used there does not count the files that are merely cached. `oomKills` counts the
 * processes that the kernel has ended for want of memory, in this container where that is counted.
 */
export type ReadingName = 'free' | 'total' | 'limit' | 'used' | 'oomKills';

export interface Probe {
  name: ReadingName;
  file: string;
  /** A regular expression whose group is the number. */
  pattern: string;
  scale: number;
}

export type Readings = Partial<Record<ReadingName, number>>;

/** The pattern of what is used in `memory.stat`, and the file that counts kills. */
const files = {
  1: { used: '^total_rss (\\d+)', kills: 'memory.oom_control' },
  2: { used: '^anon (\\d+)', kills: 'memory.events' },
} as const;

/** What can be read here; none on systems without `/proc`. `root` is that of the file system. */
export function memoryProbes(root = '/'): Probe[] {
  const meminfo = join(root, 'proc/meminfo');
  if (!existsSync(meminfo)) return [];
  const [group] = controlGroups(root);
  const free: Probe[] = [
    { name: 'free', file: meminfo, pattern: '^MemAvailable:\\s+(\\d+) kB', scale: 1024 },
    { name: 'total', file: meminfo, pattern: '^MemTotal:\\s+(\\d+) kB', scale: 1024 },
  ];
  const machine = join(root, 'proc/vmstat');
  const kills: Probe = { name: 'oomKills', file: machine, pattern: '^oom_kill (\\d+)', scale: 1 };
  if (group === undefined) return [...free, kills];
  const [own = group.mount] = group.levels;
  const names = files[group.version];
  const ownKills = { ...kills, file: join(own, names.kills) };
  const machineMemory = readProbes(free).total ?? Infinity;
  const limits = group.levels
    .map((level) => limitAt(level, group.limit))
    .map((probe) => ({ probe, bytes: readProbes([probe]).limit ?? Infinity }))
    // Version 1 says “no limit” with a huge number.
    .filter(({ bytes }) => bytes < machineMemory)
    .sort((a, b) => a.bytes - b.bytes);
  const tightest = limits[0]?.probe;
  return [
    ...free,
    ...(readProbes([ownKills]).oomKills === undefined ? [kills] : [ownKills]),
    ...(tightest === undefined ? [] : [tightest, usedAt(dirname(tightest.file), names.used)]),
  ];
}

/** Numbers that cannot be read are left out. */
export function readProbes(probes: readonly Probe[]): Readings {
  const readings: Readings = {};
  for (const { name, file, pattern, scale } of probes) {
    try {
      const found = new RegExp(pattern, 'm').exec(readTextFile(file));
      if (found) readings[name] = Number(found[1]) * scale;
    } catch {
      // It went away, or may not be read: the others say enough.
    }
  }
  return readings;
}

/** How many processes the kernel has ended for want of memory; undefined where it is not told. */
export function countOomKills(): number | undefined {
  return readProbes(memoryProbes()).oomKills;
}

function limitAt(level: string, file: string): Probe {
  return { name: 'limit', file: join(level, file), pattern: '^(\\d+)$', scale: 1 };
}

function usedAt(level: string, pattern: string): Probe {
  return { name: 'used', file: join(level, 'memory.stat'), pattern, scale: 1 };
}
