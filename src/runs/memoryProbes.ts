/**
 * What a system says of its memory, as files and the number to find in each, so that a thread which is
 * made from text (`heartbeat.ts`) can read the same as the rest of the program. It is kept to tell,
 * after a process was killed, whether memory ran out. Linux only: elsewhere there are no such files,
 * and Node's own numbers must do.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

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

/** What can be read here; none on systems without `/proc`. `root` is that of the file system. */
export function memoryProbes(root = '/'): Probe[] {
  const meminfo = join(root, 'proc/meminfo');
  if (!existsSync(meminfo)) return [];
  const group = controlGroup(root);
  const free: Probe[] = [
    { name: 'free', file: meminfo, pattern: '^MemAvailable:\\s+(\\d+) kB', scale: 1024 },
    { name: 'total', file: meminfo, pattern: '^MemTotal:\\s+(\\d+) kB', scale: 1024 },
  ];
  const machine = join(root, 'proc/vmstat');
  const kills: Probe = { name: 'oomKills', file: machine, pattern: '^oom_kill (\\d+)', scale: 1 };
  if (group === undefined) return [...free, kills];
  const [own = group.mount] = group.levels;
  const ownKills = { ...kills, file: join(own, group.names.kills) };
  const machineMemory = readProbes(free).total ?? Infinity;
  const limits = group.levels
    .map((level) => limitAt(level, group.names.limit))
    .map((probe) => ({ probe, bytes: readProbes([probe]).limit ?? Infinity }))
    // Version 1 says “no limit” with a huge number.
    .filter(({ bytes }) => bytes < machineMemory)
    .sort((a, b) => a.bytes - b.bytes);
  const tightest = limits[0]?.probe;
  return [
    ...free,
    ...(readProbes([ownKills]).oomKills === undefined ? [kills] : [ownKills]),
    ...(tightest === undefined ? [] : [tightest, usedAt(dirname(tightest.file), group.names.used)]),
  ];
}

/** Numbers that cannot be read are left out. */
export function readProbes(probes: readonly Probe[]): Readings {
  const readings: Readings = {};
  for (const { name, file, pattern, scale } of probes) {
    try {
      const found = new RegExp(pattern, 'm').exec(readFileSync(file, 'utf8'));
      if (found) readings[name] = Number(found[1]) * scale;
    } catch {
      // It went away, or may not be read: the others say enough.
    }
  }
  return readings;
}

interface ControlGroup {
  mount: string;
  /** Its folder and those above it, the innermost first. */
  levels: string[];
  names: { limit: string; used: string; kills: string };
}

const versions = [
  {
    // `4:memory:/docker/0123`
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    mount: 'sys/fs/cgroup/memory',
    names: {
      limit: 'memory.limit_in_bytes',
      used: '^total_rss (\\d+)',
      kills: 'memory.oom_control',
    },
  },
  {
    // `0::/user.slice`
    line: /^0::(\/.*)$/m,
    mount: 'sys/fs/cgroup',
    names: { limit: 'memory.max', used: '^anon (\\d+)', kills: 'memory.events' },
  },
];

function controlGroup(root: string): ControlGroup | undefined {
  let groups: string;
  try {
    groups = readFileSync(join(root, 'proc/self/cgroup'), 'utf8');
  } catch {
    return undefined;
  }
  for (const { line, mount: place, names } of versions) {
    const path = line.exec(groups)?.[1];
    const mount = join(root, place);
    if (path === undefined || !existsSync(mount)) continue;
    // Inside a container, its own group may be what is mounted, whatever it is called outside.
    const start = join(mount, path);
    return { mount, levels: existsSync(start) ? upTo(mount, start) : [mount], names };
  }
  return undefined;
}

function upTo(mount: string, folder: string): string[] {
  const clean = folder.replace(/\/+$/, '');
  if (clean.length <= mount.length) return [mount];
  return [clean, ...upTo(mount, dirname(clean))];
}

function limitAt(level: string, file: string): Probe {
  return { name: 'limit', file: join(level, file), pattern: '^(\\d+)$', scale: 1 };
}

function usedAt(level: string, pattern: string): Probe {
  return { name: 'used', file: join(level, 'memory.stat'), pattern, scale: 1 };
}
