/**
 * Writing files so that a crash, a full disk or a read-only folder never leaves half a file behind:
 * everything is written beside its place, flushed, and renamed into it.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CfsError, messageOf } from './errors.js';
import { own } from './own.js';
import { nonBlocking, requireFile } from './reading.js';

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
    // What is in its place may be a pipe: opening one would wait for a reader.
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, 'wx');
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

/** Appends to `file`, which is made where it is missing. Throws the system's error, also for a pipe. */
export function appendToFile(file: string, bytes: Uint8Array): void {
  const { O_WRONLY, O_APPEND, O_CREAT } = constants;
  const descriptor = openSync(file, O_WRONLY | O_APPEND | O_CREAT | nonBlocking, 0o644);
  try {
    requireFile(file, fstatSync(descriptor));
    writeFully(descriptor, bytes);
  } finally {
    closeSync(descriptor);
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
    ENOTFILE: 'Restore the file, or remove what is in its place.',
    EFBIG: 'Restore the file, or remove it: it is larger than any that CFS Studio writes.',
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
