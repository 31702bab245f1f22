/** What tells that a file or folder is still as it was when it was read. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Path, time and size of a file; of one that cannot be looked at, the path alone. */
export function fileStamp(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? file : `${file}|${found.mtimeNs}|${found.size}`;
}

/** The stamps of all files of a folder; of one that is missing, or is a file, its own. */
export function folderStamp(folder: string): string {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return fileStamp(folder);
  const names = readdirSync(folder).sort();
  return [folder, ...names.map((name) => fileStamp(join(folder, name)))].join('\n');
}
