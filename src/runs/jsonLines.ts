/**
 * Files of one JSON record per line that are appended to for hours and may be cut off anywhere by a
 * crash. A record counts once its newline is written. Whatever a crash leaves after the last
 * whole record is skipped when reading and removed before appending again; a broken line with whole
 * ones after it is damage, as is one that does not belong where it stands (`chain.ts`), and an error.
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
import { attempt, raise, type CfsError } from '../errors.js';
import { isSystemError, readError, writeError } from '../files.js';
import type { LogEnd } from '../protocol/logEnds.js';
import { openFile } from '../reading.js';
import {
  chainStart,
  followLine,
  isHalf,
  longestLine,
  mostBrokenLines,
  parseLine,
  readLine,
  requireEnd,
  sealLine,
  tooBroken,
  type ChainPlace,
  type LineBytes,
} from './chain.js';

const chunkBytes = 1 << 20;
const newline = 0x0a;

/** The whole records of a log: how many bytes they are, and the place after them. */
export interface SoundPart {
  bytes: number;
  place: ChainPlace;
}

export interface JsonLineWriter {
  /** Appends a record; with `flush`, it survives a power cut too. Throws `WRITE_FAILED`. */
  append(record: object, flush: boolean): void;
  /** Makes all records survive a power cut, and says where the log ends. Throws `WRITE_FAILED`. */
  flush(): LogEnd;
  close(): void;
}

/**
 * The records of `file` in order, read piece by piece; none when the file is missing. `known`: where
 * it is known to have ended once. Throws `READ_FAILED`, and `RECORD_BROKEN` with the line for one
 * that is no record of the schema, does not belong there, or is missing at the end. `tell` hears of
 * these instead, and all records that can be read are given.
 */
export function* readJsonLines<T>(
  file: string,
  schema: z.ZodType<T>,
  known?: LogEnd,
  tell: (problem: CfsError) => void = raise,
): Generator<T> {
  let place = chainStart;
  let broken = 0;
  const checkEnd = (): void => void attempt(() => requireEnd(file, known, place), tell);
  for (const { last, ...bytes } of readLines(file)) {
    const value = parseLine(bytes);
    if (last && isHalf(bytes, value)) break;
    const line = readLine(file, schema, place, { ...bytes, value });
    if (line.problem) tell(line.problem);
    place = line.place;
    if (line.problem && ++broken > mostBrokenLines) return tell(tooBroken(file, place.lines));
    if (place.lines === known?.lines) checkEnd();
    if (line.record !== undefined) yield line.record;
  }
  checkEnd();
}

/** Reads all of `file` without keeping it. Throws what `readJsonLines` throws. */
export function checkJsonLines(file: string, schema: z.ZodType, known?: LogEnd): SoundPart {
  let sound: SoundPart = { bytes: 0, place: chainStart };
  for (const { end, last, ...bytes } of readLines(file)) {
    const { place, belongs } = followLine(sound.place, bytes);
    // A seal that fits says that we wrote the line: parsing it would say no more.
    if (!place.sealed || !belongs) {
      const value = parseLine(bytes);
      if (last && isHalf(bytes, value)) break;
      const { problem } = readLine(file, schema, sound.place, { ...bytes, value });
      if (problem) throw problem;
    }
    if (place.lines === known?.lines) requireEnd(file, known, place);
    sound = { bytes: end, place };
  }
  requireEnd(file, known, sound.place);
  return sound;
}

/** The records as the lines of a new log, and where it ends once they are all taken. */
export function sealedLines(records: Iterable<object>): Iterable<string> & { end(): LogEnd } {
  let place = chainStart;
  return {
    *[Symbol.iterator]() {
      for (const record of records) {
        const sealed = sealLine(place, record);
        place = sealed.place;
        yield sealed.line;
      }
    },
    end: () => endOf(place),
  };
}

/** The last record of `file`, read from its end; undefined when there is none, or only far from it. */
export function readLastJsonLine<T>(file: string, schema: z.ZodType<T>): T | undefined {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return undefined;
  try {
    let looked = 0;
    for (const line of linesFromEnd(descriptor)) {
      const parsed = schema.safeParse(parseLine(line));
      if (parsed.success) return parsed.data;
      if (++looked > mostBrokenLines) break;
    }
    return undefined;
  } catch (error) {
    throw isSystemError(error) ? readError(file, error) : error;
  } finally {
    closeSync(descriptor);
  }
}

/** Opens `file` for appending after its `sound` part, and removes what a crash left behind that. */
export function openJsonLines(file: string, sound: SoundPart): JsonLineWriter {
  let { bytes: length, place } = sound;
  // What a killed writer appended may not be on the disk yet.
  let flushed = false;
  let descriptor: number;
  try {
    // Not 'a+': Windows refuses to cut such a file.
    descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
    ftruncateSync(descriptor, length);
  } catch (error) {
    throw writeError(file, error);
  }
  return {
    append: (record, flush) => {
      const sealed = sealLine(place, record);
      const bytes = Buffer.from(sealed.line);
      try {
        let written = 0;
        while (written < bytes.length) {
          const rest = bytes.length - written;
          written += writeSync(descriptor, bytes, written, rest, length + written);
        }
        if (flush) fsyncSync(descriptor);
        flushed = flush;
        length += bytes.length;
        place = sealed.place;
      } catch (error) {
        // A full disk may have taken half of the line; the next one must not be glued to it.
        ftruncateSync(descriptor, length);
        throw writeError(file, error);
      }
    },
    flush: () => {
      try {
        if (!flushed) fsyncSync(descriptor);
        flushed = true;
      } catch (error) {
        throw writeError(file, error);
      }
      return endOf(place);
    },
    close: () => closeSync(descriptor),
  };
}

function endOf({ lines, seal }: ChainPlace): LogEnd {
  return { lines, seal };
}

/** Whole lines from the last to the first. */
function* linesFromEnd(descriptor: number): Generator<LineBytes> {
  /** Where the line ends whose beginning is looked for; what follows the last newline is none. */
  let end: number | undefined;
  const lineFrom = (start: number, stop: number): LineBytes => {
    const from = stop - start > longestLine ? stop - 1 : start;
    return { bytes: readRange(descriptor, from, stop), length: stop - start };
  };
  for (let stop = fstatSync(descriptor).size; stop > 0; stop -= Math.min(stop, chunkBytes)) {
    const from = Math.max(0, stop - chunkBytes);
    const chunk = readRange(descriptor, from, stop);
    for (let at = chunk.lastIndexOf(newline); at >= 0;) {
      if (end !== undefined) yield lineFrom(from + at + 1, end);
      end = from + at;
      at = at === 0 ? -1 : chunk.lastIndexOf(newline, at - 1);
    }
  }
  if (end !== undefined) yield lineFrom(0, end);
}

interface Line extends LineBytes {
  /** Bytes of the file up to here, with the newline. */
  end: number;
  last: boolean;
}

/** Whole lines from the first to the last; a rest without newline is left out. Throws `READ_FAILED`. */
function* readLines(file: string): Generator<Line> {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return;
  try {
    let line = createLine();
    let held: Omit<Line, 'last'> | undefined;
    const { size } = fstatSync(descriptor);
    for (let position = 0; position < size; position += chunkBytes) {
      const chunk = readRange(descriptor, position, Math.min(size, position + chunkBytes));
      let start = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
        if (held !== undefined) yield { ...held, last: false };
        line.add(chunk.subarray(start, at));
        held = { ...line.take(), end: position + at + 1 };
        line = createLine();
        start = at + 1;
      }
      line.add(chunk.subarray(start));
    }
    if (held !== undefined) yield { ...held, last: true };
  } catch (error) {
    throw isSystemError(error) ? readError(file, error) : error;
  } finally {
    closeSync(descriptor);
  }
}

/** A line that comes in pieces. Of one that is too long, only the last piece is kept. */
function createLine() {
  let pieces: Buffer[] = [];
  let length = 0;
  return {
    add: (piece: Buffer): void => {
      length += piece.length;
      if (length > longestLine) pieces = [];
      if (piece.length > 0) pieces.push(piece);
    },
    take: (): LineBytes => {
      const [only = Buffer.alloc(0), ...others] = pieces;
      return { bytes: others.length === 0 ? only : Buffer.concat(pieces), length };
    },
  };
}

function openExisting(file: string): number | undefined {
  try {
    return openFile(file);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw readError(file, error);
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
