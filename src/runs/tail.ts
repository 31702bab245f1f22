/**
 * Files of one JSON record per line, read while another process still appends to them. The editor
 * follows a run by this, so nothing here may hold up its event loop: only what is new is read, in
 * pieces, and each piece waits its turn. A file that was cut off or replaced is read again.
 */
import type { FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { CfsError } from '../errors.js';
import { isSystemError, readError } from '../files.js';
import type { LogEnd } from '../protocol/logEnds.js';
import { openFileAsync } from '../reading.js';
import {
  chainStart,
  followLine,
  isHalf,
  longestLine,
  misplaced,
  mostBrokenLines,
  parseLine,
  readLine,
  tooBroken,
  type LineBytes,
} from './chain.js';

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
  /** Where the records read so far end. */
  end(): LogEnd;
  /** The first line of the file that was a problem. */
  problem(): CfsError | undefined;
}

export interface Tail {
  /** Looks again now. */
  poke(): void;
  dispose(): void;
}

/** How far a file has been read. */
interface Place {
  /** Bytes of whole lines taken. */
  offset: number;
  /** The first bytes of the file, and the last ones before `offset`. */
  head: Buffer;
  before: Buffer;
  /** The line that begins at `start` has not ended up to `searched`. */
  unended: { start: number; searched: number };
}

/**
 * Calls `take` with all records of `file`, then with new ones as they are written, until it is
 * disposed. A missing file has no records. A line that is no record is skipped and reported to
 * `onProblem` (`RECORD_BROKEN`). So is one that does not belong where it stands, but its record
 * counts. A file that cannot be read is reported (`READ_FAILED`) once for each time it stops working.
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
  let chain = chainStart;
  let firstProblem: CfsError | undefined;
  let broken = 0;
  let first = true;
  let take: TakeRecords<T> = () => undefined;
  const follow = createFollower(file, {
    restart: () => {
      chain = chainStart;
      firstProblem = undefined;
      broken = 0;
      first = true;
    },
    take: (lines, offset, last) => {
      const records: T[] = [];
      const places: LinePlace[] = [];
      let taken = 0;
      for (const [index, line] of lines.entries()) {
        const value = parseLine(line);
        const isLast = last && index === lines.length - 1;
        // Left for later: its writer may have died.
        if (isLast && isHalf(line, value)) break;
        const { place, record, problem } = readLine(file, schema, chain, { ...line, value });
        chain = place;
        const length = line.length + 1;
        firstProblem ??= problem;
        if (problem) onProblem(problem);
        if (problem && ++broken > mostBrokenLines) {
          onProblem(tooBroken(file, chain.lines));
          break;
        }
        if (record !== undefined) {
          records.push(record);
          places.push({ start: offset + taken, length });
        }
        taken += length;
      }
      if (records.length > 0) {
        take(records, first, places);
        first = false;
      }
      return broken > mostBrokenLines ? undefined : taken;
    },
  });
  return {
    read: async (takeRecords, signal) => {
      take = takeRecords;
      await follow(signal);
      if (!first || signal?.aborted) return;
      first = false;
      take([], true, []);
    },
    end: () => chain,
    problem: () => firstProblem,
  };
}

export interface LineCounter {
  /** Reads on. Not to be called again before it has ended. Throws `READ_FAILED`. */
  count(signal?: AbortSignal): Promise<void>;
  /** Where the lines read so far end. */
  end(): LogEnd;
  /** The first line that does not belong where it stands: `RECORD_BROKEN`. */
  problem(): CfsError | undefined;
}

/** Counts the whole lines of a log as it grows, and looks at their seals but not into them. */
export function createLineCounter(file: string): LineCounter {
  let chain = chainStart;
  let problem: CfsError | undefined;
  const follow = createFollower(file, {
    restart: () => {
      chain = chainStart;
      problem = undefined;
    },
    take: (lines, _offset, last) => {
      let taken = 0;
      for (const [index, line] of lines.entries()) {
        const { place, belongs } = followLine(chain, line);
        const isLast = last && index === lines.length - 1;
        if (!belongs && isLast && isHalf(line, parseLine(line))) break;
        chain = place;
        if (!belongs) problem ??= misplaced(file, place.lines);
        taken += line.length + 1;
      }
      return taken;
    },
  });
  return { count: follow, end: () => chain, problem: () => problem };
}

interface TakeLines {
  /** The file begins anew: what was taken before is to be forgotten. */
  restart: () => void;
  /**
   * Whole lines without their newlines, from the byte `offset`; `last`: the file ends with them. Returns
   * how many of their bytes, newlines counted, were taken; the others are given again next time.
   * Undefined: no more is wanted of this file.
   */
  take: (lines: readonly LineBytes[], offset: number, last: boolean) => number | undefined;
}

/** Follows the lines of a file that grows, is cut off, replaced or removed. */
function createFollower(
  file: string,
  { restart, take }: TakeLines,
): (signal?: AbortSignal) => Promise<void> {
  let place = beginning();
  let stamp = '';
  let stopped = false;

  const startOver = (): void => {
    place = beginning();
    stamp = '';
    stopped = false;
    restart();
  };

  const readOn = async (handle: FileHandle, signal: AbortSignal | undefined): Promise<void> => {
    let at = place.offset;
    let waiting: readonly LineBytes[] = [];
    for (;;) {
      // A line that grows for long is not looked through again and again.
      const from = place.unended.start === at ? place.unended.searched : at;
      const { lines, end } = await nextLines(handle, { at, from }, signal);
      if (signal?.aborted) return;
      if (lines.length === 0) place.unended = { start: at, searched: end };
      // Held back by one piece, so that the file's last line is known to be the last.
      const taken = take(waiting, place.offset, lines.length === 0);
      if (taken === undefined) stopped = true;
      if (taken === undefined || lines.length === 0) {
        place.offset += taken ?? 0;
        return;
      }
      place.offset += taken;
      waiting = lines;
      at = end;
      await setImmediate();
      if (signal?.aborted) return;
    }
  };

  return async (signal) => {
    const handle = await openExisting(file);
    if (handle === undefined) {
      if (place.offset > 0) startOver();
      return;
    }
    try {
      const { size, mtimeMs } = await handle.stat();
      const seen = `${size} ${mtimeMs}`;
      if (seen === stamp) return;
      if (!(await isSame(handle, place))) startOver();
      if (stopped) return;
      await readOn(handle, signal);
      place.head = await readAt(handle, 0, Math.min(markBytes, place.offset));
      const from = Math.max(0, place.offset - markBytes);
      place.before = await readAt(handle, from, place.offset - from);
      if (!signal?.aborted) stamp = seen;
    } catch (error) {
      throw isSystemError(error) ? readError(file, error) : error;
    } finally {
      await handle.close();
    }
  };
}

function beginning(): Place {
  const unended = { start: 0, searched: 0 };
  return { offset: 0, head: Buffer.alloc(0), before: Buffer.alloc(0), unended };
}

/** Whether the file still begins as it did and still has the same bytes before the place reached. */
async function isSame(handle: FileHandle, { offset, head, before }: Place): Promise<boolean> {
  if (!(await readAt(handle, 0, head.length)).equals(head)) return false;
  return (await readAt(handle, offset - before.length, before.length)).equals(before);
}

/**
 * The whole lines of the next piece of a file, and where they end. `at`: where the first of them
 * begins; it does not end before `from`. None where the file has no newline behind that: `end` is then
 * how far it was looked for.
 */
async function nextLines(
  handle: FileHandle,
  { at, from }: { at: number; from: number },
  signal: AbortSignal | undefined,
): Promise<{ lines: LineBytes[]; end: number }> {
  for (let start = from; ;) {
    const piece = await readAt(handle, start, pieceBytes);
    const firstEnd = piece.indexOf(newline);
    if (firstEnd >= 0) {
      const first =
        start === at
          ? { bytes: piece.subarray(0, firstEnd), length: firstEnd }
          : await readLineBytes(handle, at, start + firstEnd);
      const rest = splitLines(piece.subarray(firstEnd + 1));
      const end = start + piece.lastIndexOf(newline) + 1;
      return { lines: [first, ...rest], end };
    }
    start += piece.length;
    if (piece.length === 0 || signal?.aborted) return { lines: [], end: start };
    await setImmediate();
  }
}

/** The line from `start` to `end`; of one that is too long, only its last byte. */
async function readLineBytes(handle: FileHandle, start: number, end: number): Promise<LineBytes> {
  const length = end - start;
  const from = length > longestLine ? end - 1 : start;
  return { bytes: await readAt(handle, from, end - from), length };
}

/** Without their newlines; what comes after the last of them is left out. */
function splitLines(bytes: Buffer): LineBytes[] {
  const lines: LineBytes[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push({ bytes: bytes.subarray(start, end), length: end - start });
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
    return await openFileAsync(file);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw readError(file, error);
  }
}
