/**
 * What the limit of a container leaves, on Linux. Node knows the limit; what is used of it counts too,
 * without the file pages that the kernel gives back when somebody needs them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Version {
  /** The line of `/proc/self/cgroup` with the group's path. */
  line: RegExp;
  mount: string;
  limit: string;
  used: string;
  /** Fields of `memory.stat`. */
  files: readonly string[];
}

const versions: readonly Version[] = [
  {
    line: /^0::(\/.*)$/m,
    mount: 'sys/fs/cgroup',
    limit: 'memory.max',
    used: 'memory.current',
    files: ['inactive_file', 'active_file'],
  },
  {
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    mount: 'sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    used: 'memory.usage_in_bytes',
    files: ['total_inactive_file', 'total_active_file'],
  },
];

/** The first version writes a number like this where there is no limit. */
const noLimit = 2 ** 60;

/** Bytes that the limits of this process's groups leave; undefined where there are none. */
export function containerMemory(root = '/'): number | undefined {
  const groups = read(join(root, 'proc/self/cgroup')) ?? '';
  const rooms = versions.flatMap((version) => {
    const path = version.line.exec(groups)?.[1];
    if (path === undefined) return [];
    const mount = join(root, version.mount);
    return foldersOf(mount, path).flatMap((folder) => roomIn(folder, version) ?? []);
  });
  return rooms.length > 0 ? Math.min(...rooms) : undefined;
}

/** The group's folder and those above it: every limit counts. A container may see the last one only. */
function foldersOf(mount: string, path: string): string[] {
  const folders = [join(mount, path)];
  for (let folder = join(mount, path); folder !== mount && folder.startsWith(mount);) {
    folder = dirname(folder);
    folders.push(folder);
  }
  return folders;
}

function roomIn(folder: string, { limit, used, files }: Version): number | undefined {
  const most = Number(read(join(folder, limit)));
  const taken = Number(read(join(folder, used)));
  // Where there is no limit it is the word `max`, or a number beyond all memory.
  if (!(most > 0 && most < noLimit) || !Number.isFinite(taken)) return undefined;
  const statistics = read(join(folder, 'memory.stat')) ?? '';
  const givenBack = files.reduce((sum, name) => {
    const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics);
    return sum + Number(found?.[1] ?? 0);
  }, 0);
  return Math.max(0, most - Math.max(0, taken - givenBack));
}

function read(file: string): string | undefined {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  } catch {
    // Not to be read here: that is no limit we could know of.
    return undefined;
  }
}
