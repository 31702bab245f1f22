/**
 * Writing files so that a crash, a full disk or a read-only folder never leaves half a file behind:
 * everything is written beside its place, flushed, and renamed into it.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CfsError, messageOf } from './errors.js';

/** Writes `parts` in order to `file`, atomically. Creates the folder. Throws `WRITE_FAILED`. */
export function writeFileAtomic(file: string, ...parts: (string | Uint8Array)[]): void {
  const temporary = `${file}.tmp-${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(temporary, 'w');
    try {
      for (const part of parts) writeFully(descriptor, toBytes(part));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw writeError(file, error);
  }
}

/** Puts a folder that was filled under a temporary name into its place, replacing what was there. */
export function replaceFolder(temporary: string, folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    throw writeError(folder, error);
  }
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
    message: `Could not write: ${messageOf(cause)}`,
    remedy: remedies[code ?? ''] ?? 'Check that the folder exists and can be written to.',
    place: { file },
    cause,
  });
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
