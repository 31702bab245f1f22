/**
 * Writing files so that a crash, a full disk or a read-only folder never leaves half a file behind:
 * everything is written beside its place, flushed, and renamed into it.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { CfsError, messageOf } from './errors.js';
import { own } from './own.js';

/** Writes `parts` in order to `file`, atomically. Creates the folder. Throws `WRITE_FAILED`. */
export function writeFileAtomic(file: string, ...parts: (string | Uint8Array)[]): void {
  writeFileAtomicFrom(file, parts);
}

/**
 * The same for parts that are made one after another, so that a file of many GB never lies in
 * memory. An error thrown while making a part passes through; the file is then not written.
 */
export function writeFileAtomicFrom(file: string, parts: Iterable<string | Uint8Array>): void {
  const temporary = `${file}.tmp-${process.pid}`;
  try {
    makeFolder(dirname(file));
    const descriptor = openSync(temporary, 'w');
    try {
      for (const part of parts) writeFully(descriptor, toBytes(part));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeQuietly(temporary);
    throw isSystemError(error) ? writeError(file, error) : error;
  }
}

/**
 * Makes a folder and those above it, one by one: Node's recursive form says ENOENT where a disk is
 * read-only. Throws the system's own error.
 */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Somebody else was quicker.
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error;
  }
}

/**
 * Puts a folder that was filled under a temporary name into its place. What was there is moved
 * aside first and removed last, so a failure in between leaves either the old or the new, whole.
 */
export function replaceFolder(temporary: string, folder: string): void {
  const aside = `${folder}.old-${process.pid}`;
  try {
    if (!existsSync(folder)) return renameSync(temporary, folder);
    renameSync(folder, aside);
    try {
      renameSync(temporary, folder);
    } catch (error) {
      renameSync(aside, folder);
      throw error;
    }
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    throw writeError(folder, error);
  }
}

/** Whether the operating system refused something (disk full, read-only, missing …). */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** The `CfsError` for a failed write: says disk full and read-only in words. */
export function writeError(file: string, cause: unknown): CfsError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const remedies: Record<string, string> = {
    ENOSPC: 'Free some disk space, then resume; nothing already written was lost.',
    EROFS: 'Choose a folder on a disk that can be written to.',
    EACCES: 'Choose a folder you may write to, or change its permissions.',
    EPERM: 'Choose a folder you may write to, or change its permissions.',
  };
  return new CfsError({
    code: 'WRITE_FAILED',
    message: `Could not write: ${messageOf(cause)}.`,
    remedy: own(remedies, code ?? '') ?? 'Check that the folder exists and can be written to.',
    place: { file },
    cause,
  });
}

/** The `CfsError` for a file or folder that is there and cannot be read. */
export function readError(file: string, cause: unknown): CfsError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const remedies: Record<string, string> = {
    EISDIR: 'There is a folder where this file should be: restore the file, or remove the folder.',
    ENOTDIR: 'There is a file where this folder should be: restore the folder, or remove the file.',
    EIO: 'Check the disk.',
  };
  return new CfsError({
    code: 'READ_FAILED',
    message: `Could not read: ${messageOf(cause)}.`,
    remedy: own(remedies, code ?? '') ?? 'Check that you have permission to read this file.',
    place: { file },
    cause,
  });
}

/**
 * Throws `READ_FAILED` where something is in the place of a file that reading may never come to the
 * end of: a pipe, a device, also behind a link. In a folder of someone else it may be anything.
 */
export function requireEnding(file: string): void {
  let found: Stats | undefined;
  try {
    found = statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    // Whoever opens it says why.
    if (isSystemError(error)) return;
    throw error;
  }
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw new CfsError({
    code: 'READ_FAILED',
    message: 'Could not read: it is a pipe or a device, not a file.',
    remedy: 'Restore the file, or remove what is in its place.',
    place: { file },
  });
}

/** The clean-up after a failed write; the failure itself is what the caller reports. */
function removeQuietly(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch (error) {
    // A folder that cannot be reached (a file in its path) holds nothing to remove.
    if (!isSystemError(error)) throw error;
  }
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written);
  }
}

function toBytes(part: string | Uint8Array): Uint8Array {
  return typeof part === 'string' ? new TextEncoder().encode(part) : part;
}
