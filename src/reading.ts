/**
 * The one place where files are opened for reading: whatever a person or a file of others names may
 * be a pipe that nobody writes to, a device without end, or larger than memory. A lint rule keeps
 * other modules from opening files past it (`scripts/lint/rawCalls.js`).
 *
 * What is refused is thrown as the operating system would throw it (`isSystemError`), so that each
 * reader words it as it words a file that is missing.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** Files that are read whole may have so many bytes; V8's strings end at 512 MiB. */
export const largestFile = 256 * 1024 * 1024;

/** Opens a pipe at once instead of waiting for its writer; says nothing to a file. Windows has none. */
export const nonBlocking = (constants as Partial<typeof constants>).O_NONBLOCK ?? 0;

/** A descriptor of `file`, which is a file. Throws the system's error. */
export function openFile(file: string, flags: number = constants.O_RDONLY): number {
  // Before it is opened: to open a device may already do something.
  requireFile(file, statSync(file));
  const descriptor = openSync(file, flags | nonBlocking);
  try {
    requireFile(file, fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** `openFile` for whoever waits meanwhile. */
export async function openFileAsync(file: string): Promise<FileHandle> {
  requireFile(file, statSync(file));
  const handle = await open(file, constants.O_RDONLY | nonBlocking);
  try {
    requireFile(file, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** All bytes of `file`, at most `limit`. Throws the system's error. */
export function readFile(file: string, limit = largestFile): Buffer {
  return withFile(file, limit, (descriptor) => readFileSync(descriptor));
}

/** The text of a file that is open, from its beginning. */
export function readOpenText(descriptor: number): string {
  return readFileSync(descriptor, 'utf8');
}

/** Throws what `readFile` would throw, without reading. */
export function requireReadable(file: string, limit = largestFile): void {
  withFile(file, limit, () => undefined);
}

/** `readFile` as UTF-8 text. */
export function readTextFile(file: string, limit = largestFile): string {
  return readFile(file, limit).toString('utf8');
}

/** `readTextFile` for whoever waits meanwhile. */
export async function readTextFileAsync(file: string, limit = largestFile): Promise<string> {
  const handle = await openFileAsync(file);
  try {
    if ((await handle.stat()).size > limit) throw tooLarge(file, limit);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Throws where there is something whose reading may never come to an end. */
export function requireFile(file: string, found: Pick<Stats, 'isFile' | 'isDirectory'>): void {
  if (found.isFile()) return;
  throw found.isDirectory()
    ? refusal('EISDIR', 'it is a folder', file)
    : refusal('ENOTFILE', 'it is a pipe or a device', file);
}

function withFile<T>(file: string, limit: number, work: (descriptor: number) => T): T {
  const descriptor = openFile(file);
  try {
    if (fstatSync(descriptor).size > limit) throw tooLarge(file, limit);
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(file: string, limit: number): Error {
  return refusal('EFBIG', `it is larger than ${sizeText(limit)}`, file);
}

/** Bytes as they stand in the messages of limits. */
export function sizeText(bytes: number): string {
  return bytes >= 1 << 20 ? `${bytes / (1 << 20)} MiB` : `${bytes / 1024} KiB`;
}

function refusal(code: string, why: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${why}, open`), { code, syscall: 'open', path });
}
