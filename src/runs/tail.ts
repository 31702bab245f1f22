/**
 * Files of one JSON record per line, read while another process still appends to them. The editor
 * follows a run by this, so nothing here may hold up its event loop: only what is new is read, in
 * pieces, and each piece waits its turn. A file that was cut off or replaced is read again.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
import { isSystemError } from '../files.js';

/** Small enough to be parsed in a few milliseconds, also on a busy machine. */
const pieceBytes = 64 * 1024;
/** Bytes of the file's beginning, and of those before the place reached, that tell it from others. */
const markBytes = 256;
const pollMs = 500;
const newline = 0x0a;

/** The bytes of a line, with its newline. */
export interface LinePlace {
  start: number;
  length: number;
}

/**
 * `first`: what was taken before is to be dropped; so it is at the very first call. `places`: where
 * each record is in the file.
 */
export type TakeRecords<T> = (records: T[], first: boolean, places: LinePlace[]) => void;

export interface TailReader<T> {
  /**
   * Gives `take` what was appended since the last call, in pieces; the first call and every one
   * after the file was cut off, replaced or removed begin with `first`. Ends early once `signal` is
   * aborted. Not to be called again before it has ended. Throws `READ_FAILED`.
   */
  read(take: TakeRecords<T>, signal?: AbortSignal): Promise<void>;
}

export interface Tail {
  /** Looks again now. */
  poke(): void;
  dispose(): void;
}

/** How far a file has been read. */
interface Place {
  /** Bytes and whole lines read. */
  offset: number;
  line: number;
  /** The first bytes of the file, and the last ones before `offset`. */
  head: Buffer;
  before: Buffer;
}

/**
 * Calls `take` with all records of `file`, then with new ones as they are written, until it is
 * disposed. A missing file has no records. A line that is no record is skipped and reported to
 * `onProblem` (`RECORD_BROKEN`), as is a file that cannot be read (`READ_FAILED`), once for each
 * time it stops working.
 */
export function tailJsonLines<T>(
  file: string,
  schema: z.ZodType<T>,
  take: TakeRecords<T>,
  onProblem: (problem: CfsError) => void,
): Tail {
  const reader = createTailReader(file, schema, onProblem);
  const stop = new AbortController();
  let reading = false;
  let again = false;
  let failing = false;
  const look = async (): Promise<void> => {
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    try {
      do {
        again = false;
        await reader.read(take, stop.signal);
      } while (again && !stop.signal.aborted);
      failing = false;
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      if (!failing && !stop.signal.aborted) onProblem(error);
      failing = true;
    } finally {
      reading = false;
    }
  };
  const timer = setInterval(() => void look(), pollMs);
  void look();
  return {
    poke: () => void look(),
    dispose: () => {
      stop.abort();
      clearInterval(timer);
    },
  };
}

/** Reads `file` as it grows; see `tailJsonLines` for what broken lines do. */
export function createTailReader<T>(
  file: string,
  schema: z.ZodType<T>,
  onProblem: (problem: CfsError) => void,
): TailReader<T> {
  let place = beginning();
  let first = true;
  let stamp = '';

  /** Parses whole lines; `last` leaves a broken last line for later: its writer may have died. */
  const takeLines = (lines: readonly Buffer[], last: boolean, take: TakeRecords<T>): void => {
    const records: T[] = [];
    const places: LinePlace[] = [];
    for (const [index, bytes] of lines.entries()) {
      const value = parseJson(bytes.toString('utf8', 0, bytes.length - 1));
      if (value === undefined && last && index === lines.length - 1) break;
      place.line++;
      const start = place.offset;
      place.offset += bytes.length;
      const parsed = schema.safeParse(value);
      if (parsed.success) {
        records.push(parsed.data);
        places.push({ start, length: bytes.length });
      } else {
        onProblem(broken(file, place.line, value === undefined ? undefined : parsed.error));
      }
    }
    if (records.length === 0) return;
    take(records, first, places);
    first = false;
  };

  const readOn = async (
    handle: FileHandle,
    take: TakeRecords<T>,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    let at = place.offset;
    let rest: Buffer[] = [];
    let waiting: Buffer[] = [];
    for (;;) {
      const piece = await readAt(handle, at, pieceBytes);
      if (signal?.aborted) return;
      // Held back by one piece, so that the file's last line is known to be the last.
      takeLines(waiting, piece.length === 0, take);
      if (piece.length === 0) return;
      at += piece.length;
      const end = piece.lastIndexOf(newline) + 1;
      if (end === 0) {
        rest.push(piece);
        waiting = [];
      } else {
        waiting = splitLines(Buffer.concat([...rest, piece.subarray(0, end)]));
        rest = [piece.subarray(end)];
      }
      await setImmediate();
      if (signal?.aborted) return;
    }
  };

  return {
    read: async (take, signal) => {
      const startOver = (): void => {
        place = beginning();
        first = true;
        stamp = '';
      };
      const tellFirst = (): void => {
        if (first && !signal?.aborted) {
          first = false;
          take([], true, []);
        }
      };
      const handle = await openExisting(file);
      if (handle === undefined) {
        if (place.offset > 0) startOver();
        return tellFirst();
      }
      try {
        const { size, mtimeMs } = await handle.stat();
        const seen = `${size} ${mtimeMs}`;
        if (seen === stamp) return;
        if (!(await isSame(handle, place))) startOver();
        await readOn(handle, take, signal);
        place.head = await readAt(handle, 0, Math.min(markBytes, place.offset));
        const from = Math.max(0, place.offset - markBytes);
        place.before = await readAt(handle, from, place.offset - from);
        if (!signal?.aborted) stamp = seen;
        tellFirst();
      } catch (error) {
        throw isSystemError(error) ? readError(file, error) : error;
      } finally {
        await handle.close();
      }
    },
  };
}

/**
 * Counts the whole lines of a file that grows; each call reads only what is new, and starts over
 * when the file was cut off. A missing file has none. The function throws `READ_FAILED`.
 */
export function createLineCounter(file: string): (signal?: AbortSignal) => Promise<number> {
  let offset = 0;
  let lines = 0;
  return async (signal) => {
    const handle = await openExisting(file);
    if (handle === undefined) return (offset = lines = 0);
    try {
      if ((await handle.stat()).size < offset) offset = lines = 0;
      while (!signal?.aborted) {
        const piece = await readAt(handle, offset, pieceBytes);
        if (piece.length === 0) break;
        offset += piece.length;
        for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, at + 1)) lines++;
      }
      return lines;
    } catch (error) {
      throw isSystemError(error) ? readError(file, error) : error;
    } finally {
      await handle.close();
    }
  };
}

function beginning(): Place {
  return { offset: 0, line: 0, head: Buffer.alloc(0), before: Buffer.alloc(0) };
}

/** Whether the file still begins as it did and still has the same bytes before the place reached. */
async function isSame(handle: FileHandle, { offset, head, before }: Place): Promise<boolean> {
  if (!(await readAt(handle, 0, head.length)).equals(head)) return false;
  return (await readAt(handle, offset - before.length, before.length)).equals(before);
}

/** Each with its newline. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push(bytes.subarray(start, end + 1));
    start = end + 1;
  }
  return lines;
}

/** `length` bytes from `position`, fewer where the file ends. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(bytes, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}

async function openExisting(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw readError(file, error);
  }
}

/** The value, or undefined (which JSON cannot hold) for text that is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readError(file: string, cause: unknown): CfsError {
  return new CfsError({
    code: 'READ_FAILED',
    message: `Could not read: ${messageOf(cause)}.`,
    remedy: 'Check that you have permission to read this file.',
    place: { file },
    cause,
  });
}

/** `shape`: what is wrong with the record; undefined where the line is not even JSON. */
function broken(file: string, line: number, shape: z.ZodError | undefined): CfsError {
  const [issue] = shape?.issues ?? [];
  const field = issue?.path.map(String).join('.');
  return new CfsError({
    code: 'RECORD_BROKEN',
    message: `This line is not a record that CFS Studio wrote: ${issue?.message ?? 'it is not JSON'}.`,
    remedy: 'Restore the file from a backup, or delete the line.',
    place: { file, line, ...(field === undefined || field === '' ? {} : { field }) },
  });
}
