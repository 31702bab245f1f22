/** Which drive a path is on, for errors that only another drive cures. */
import { realpathSync } from 'node:fs';
import { readTextFile } from '../reading.js';

/** File system and mount point: `nfs4 at /mnt/share`. Undefined where the system does not tell. */
export function driveOf(path: string): string | undefined {
  try {
    return findMount(readTextFile('/proc/self/mountinfo'), realpathSync(path));
  } catch {
    // Only Linux has this list.
    return undefined;
  }
}

/** The innermost mount of Linux's `mountinfo` that holds `path`; of two at one place, the later. */
export function findMount(mountInfo: string, path: string): string | undefined {
  let [found, longest] = [undefined as string | undefined, ''];
  for (const line of mountInfo.split('\n')) {
    // id, parent, device, root, mount point, options, …, "-", file system, source, options
    const [place, kind] = line.split(' - ').map((half) => half.split(' '));
    const point = unescape(place?.[4] ?? '');
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    if (point === '' || !holds || point.length < longest.length) continue;
    [found, longest] = [`${kind?.[0] ?? 'unknown'} at ${point}`, point];
  }
  return found;
}

/** Spaces and the like are written in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}
