/**
 * Paths as a report tells them. A report is mailed and published, so it must not say where on somebody's
 * disk things lie: what is inside the workspace is told from there, of all else only the last name.
 */
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { mapPaths, pathsIn } from './paths.js';

/** `config` with its paths as a report tells them; `root` is the folder of the workspace. */
export function withShortPaths<T extends object>(config: T, root?: string): T {
  return mapPaths(config, (path) => shortPath(path, root));
}

/**
 * A function that does the same to paths inside a sentence: to those under `root`, under the folders
 * that `config` names and under the home folder whatever their characters, and to all others that have
 * no spaces.
 */
export function pathShortener(config: object, root?: string): (text: string) => string {
  const home = homedir();
  const named = pathsIn(config).flatMap((path) => [path, dirname(path)]);
  const folders = named.filter((path) => isAbsolutePath(path) && !isWithin(home, path));
  const changes = [
    ...(root === undefined ? [] : [{ from: root, to: '.' }]),
    ...folders.map((from) => ({ from, to: shortPath(from, root) })),
    { from: home, to: '~' },
  ].toSorted((a, b) => b.from.length - a.from.length);
  const patterns = changes.map(({ from, to }) => ({ pattern: wholePath(from), to }));
  return (text) =>
    patterns
      .reduce((short, { pattern, to }) => short.replace(pattern, () => to), text)
      .replace(absolutePath, '…/$1');
}

/** Not the beginning of another name. */
function wholePath(path: string): RegExp {
  return new RegExp(`${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-]|\\.\\w)`, 'g');
}

function isWithin(path: string, folder: string): boolean {
  return (
    path === folder || path.startsWith(folder.replace(/[\\/]?$/, path.includes('\\') ? '\\' : '/'))
  );
}

/** Two names at least, so that `/` between words stays; not the rest of an address or a relative path. */
const absolutePath =
  /(?<![\w.…:/\\~-])(?:[A-Za-z]:)?[\\/](?:[^\s'"“”<>|:*?\\/]+[\\/])+([^\s'"“”<>|:*?\\/]*)/g;

function shortPath(path: string, root: string | undefined): string {
  if (!isAbsolutePath(path)) return path;
  const slashed = path.replaceAll('\\', '/');
  const base = root?.replaceAll('\\', '/');
  if (base !== undefined && slashed.startsWith(`${base}/`)) return slashed.slice(base.length + 1);
  return `…/${lastName(path)}`;
}

/** Of either kind of system: a run may have been made elsewhere. */
function isAbsolutePath(path: string): boolean {
  return /^([A-Za-z]:)?[\\/]/.test(path);
}

function lastName(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? '';
}
