/**
 * Files of one JSON record per line that are appended to for hours and may be cut off anywhere by a
 * crash. A record counts once its newline is written. Whatever a crash leaves after the last
 * whole record is skipped when reading and removed before appending again; a broken line with whole
 * ones after it is damage, and an error.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import type { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
import { writeError } from '../files.js';

const chunkBytes = 1 << 20;
const newline = 0x0a;

export interface JsonLineWriter {
  /** Appends a record; with `flush`, it survives a power cut too. Throws `WRITE_FAILED`. */
  append(record: unknown, flush: boolean): void;
  close(): void;
}

/**
 * The records of `file` in order, read piece by piece; none when the file is missing.
 * Throws `RECORD_BROKEN` with the line for a line that is no record of the schema.
 */
export function* readJsonLines<T>(file: string, schema: z.ZodType<T>): Generator<T> {
  for (const { text, line, last } of readLines(file)) {
    const value = parseJson(text);
    if (value === undefined && last) return;
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const why = value === undefined ? 'it is not JSON' : (issue?.message ?? 'unknown shape');
      throw broken(file, line, issue?.path.map(String).join('.'), why);
    }
    yield parsed.data;
  }
}

/** The last record of `file`, read from its end; undefined when there is none. */
export function readLastJsonLine<T>(file: string, schema: z.ZodType<T>): T | undefined {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return undefined;
  try {
    for (const { text } of linesFromEnd(descriptor)) {
      const parsed = schema.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
    }
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** Opens `file` for appending, after removing what a crash left at its end. */
export function openJsonLines(file: string): JsonLineWriter {
  let descriptor: number;
  let length: number;
  try {
    // Not 'a+': Windows refuses to cut such a file.
    descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
    length = soundLength(descriptor);
    ftruncateSync(descriptor, length);
  } catch (error) {
    throw writeError(file, error);
  }
  return {
    append: (record, flush) => {
      const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
      try {
        let written = 0;
        while (written < bytes.length) {
          const rest = bytes.length - written;
          written += writeSync(descriptor, bytes, written, rest, length + written);
        }
        if (flush) fsyncSync(descriptor);
        length += bytes.length;
      } catch (error) {
        // A full disk may have taken half of the line; the next one must not be glued to it.
        ftruncateSync(descriptor, length);
        throw writeError(file, error);
      }
    },
    close: () => {
      fsyncSync(descriptor);
      closeSync(descriptor);
    },
  };
}

/** Bytes of the file without what a crash left: a rest without newline, one broken last line. */
function soundLength(descriptor: number): number {
  let dropped = false;
  for (const { text, end } of linesFromEnd(descriptor)) {
    if (dropped || parseJson(text) !== undefined) return end;
    dropped = true;
  }
  return 0;
}

/** Whole lines from the last to the first, with the byte where each ends, newline included. */
function* linesFromEnd(descriptor: number): Generator<{ text: string; end: number }> {
  let start = fstatSync(descriptor).size;
  let tail = Buffer.alloc(0);
  while (start > 0) {
    const from = Math.max(0, start - chunkBytes);
    tail = Buffer.concat([readRange(descriptor, from, start), tail]);
    start = from;
    let end = tail.lastIndexOf(newline);
    while (end >= 0) {
      const before = end === 0 ? -1 : tail.lastIndexOf(newline, end - 1);
      // The line may begin in the chunk before.
      if (before < 0 && start > 0) break;
      yield { text: tail.toString('utf8', before + 1, end), end: start + end + 1 };
      end = before;
    }
    tail = tail.subarray(0, end + 1);
  }
}

/** Whole lines from the first to the last; a rest without newline is left out. */
function* readLines(file: string): Generator<{ text: string; line: number; last: boolean }> {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return;
  try {
    let rest = Buffer.alloc(0);
    let held: { text: string; line: number } | undefined;
    let line = 0;
    const size = fstatSync(descriptor).size;
    for (let position = 0; position < size; position += chunkBytes) {
      const chunk = readRange(descriptor, position, Math.min(size, position + chunkBytes));
      rest = Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, start)) {
        if (held !== undefined) yield { ...held, last: false };
        line++;
        held = { text: rest.toString('utf8', start, end), line };
        start = end + 1;
      }
      rest = rest.subarray(start);
    }
    if (held !== undefined) yield { ...held, last: true };
  } finally {
    closeSync(descriptor);
  }
}

function openExisting(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CfsError({
      code: 'READ_FAILED',
      message: `Could not read: ${messageOf(error)}.`,
      remedy: 'Check that you have permission to read this file.',
      place: { file },
      cause: error,
    });
  }
}

/** Bytes `from` … `to` of a file that only grows. */
function readRange(descriptor: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from);
  let read = 0;
  while (read < bytes.length) {
    const got = readSync(descriptor, bytes, read, bytes.length - read, from + read);
    if (got === 0) break;
    read += got;
  }
  return bytes.subarray(0, read);
}

/** The value, or undefined (which JSON cannot hold) for text that is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function broken(file: string, line: number, field: string | undefined, why: string): CfsError {
  return new CfsError({
    code: 'RECORD_BROKEN',
    message: `This line is not a record that CFS Studio wrote: ${why}.`,
    remedy: 'Restore the file from a backup, or delete the line.',
    place: { file, line, ...(field === undefined || field === '' ? {} : { field }) },
  });
}
