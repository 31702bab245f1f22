/**
 * The control groups that this process is in on Linux, and so the container or service that may limit
 * its memory. Files are named as each version of the kernel's interface names them.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTextFile } from '../reading.js';

export interface ControlGroup {
  version: 1 | 2;
  mount: string;
  /** The group's folder and those above it, the innermost first: every limit counts. */
  levels: string[];
  /** The file with the limit in bytes. */
  limit: string;
}

const versions = [
  {
    version: 1,
    // `4:memory:/docker/0123`
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    mount: 'sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
  },
  // `0::/user.slice`
  { version: 2, line: /^0::(\/.*)$/m, mount: 'sys/fs/cgroup', limit: 'memory.max' },
] as const;

/** Those of each version, where there are any. `root` is that of the file system. */
export function controlGroups(root = '/'): ControlGroup[] {
  let groups: string;
  try {
    groups = readTextFile(join(root, 'proc/self/cgroup'));
  } catch {
    return [];
  }
  return versions.flatMap(({ version, line, mount: place, limit }) => {
    const path = line.exec(groups)?.[1];
    const mount = join(root, place);
    if (path === undefined || !existsSync(mount)) return [];
    // Inside a container, its own group may be what is mounted, whatever it is called outside.
    const start = join(mount, path);
    return [{ version, mount, limit, levels: existsSync(start) ? upTo(mount, start) : [mount] }];
  });
}

function upTo(mount: string, folder: string): string[] {
  const clean = folder.replace(/\/+$/, '');
  if (clean.length <= mount.length) return [mount];
  return [clean, ...upTo(mount, dirname(clean))];
}
