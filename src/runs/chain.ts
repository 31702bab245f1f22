/**
 * The lines of a log as a chain. The last key of each record is a seal, a checksum of the seal before
 * it and of the record, so a line that was edited, moved, repeated or left out is found where it
 * stands, also by a reader that only follows what is appended. Lines of earlier versions have no
 * seal; they are part of the chain as they are, until the first one that has.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { CfsError } from '../errors.js';
import { parseJsonIfAny } from '../json.js';
import type { LogEnd } from '../protocol/logEnds.js';
import { sizeText } from '../reading.js';

/** A place in a log: so many lines were read, and whether one of them had a seal. */
export interface ChainPlace extends LogEnd {
  sealed: boolean;
}

/**
 * Bytes of a line. Those of ours have some 5 MiB at most: a sample of a hundred thousand tokens. Of a
 * longer one only the end is kept, where its seal would be.
 */
export const longestLine = 64 * 1024 * 1024;
/** Broken lines of a log that are told; with more of them it is no log, and is not read on. */
export const mostBrokenLines = 100;

/** A line without its newline. */
export interface LineBytes {
  /** All of them, or the last ones where there are more than `longestLine`. */
  bytes: Buffer;
  length: number;
}

export function isTooLong({ bytes, length }: LineBytes): boolean {
  return length > bytes.length;
}

export const chainStart: ChainPlace = { lines: 0, seal: '', sealed: false };

export interface LogLine<T> {
  record?: T;
  /** `RECORD_BROKEN`; a line that only stands in the wrong place still has its record. */
  problem?: CfsError;
  /** The place after the line. */
  place: ChainPlace;
}

const sealDigits = 16;
const sealPattern = /^,"seal":"([0-9a-f]{16})"\}$/;
/** Of `,"seal":"…"}`. */
const suffixBytes = sealDigits + 11;

/** The line that holds `record`, with its newline, and the place after it. */
export function sealLine(
  { lines, seal: before }: ChainPlace,
  record: object,
): { line: string; place: ChainPlace } {
  const body = JSON.stringify(record).slice(0, -1);
  const seal = sealOf(before, body);
  return { line: `${body},"seal":"${seal}"}\n`, place: { lines: lines + 1, seal, sealed: true } };
}

/** The place after a line, and whether the line belongs where it stands; one that is too long does not. */
export function followLine(
  before: ChainPlace,
  line: LineBytes,
): { place: ChainPlace; belongs: boolean } {
  const { bytes } = line;
  const lines = before.lines + 1;
  // No line of ours is; a file may have millions of them.
  if (bytes.length === 0) return { place: { ...before, lines }, belongs: false };
  const at = bytes.length - suffixBytes;
  const seal = at <= 0 ? undefined : sealPattern.exec(bytes.toString('latin1', at))?.[1];
  if (seal === undefined) {
    const { sealed } = before;
    return {
      place: { lines, seal: sealOf(before.seal, bytes), sealed },
      belongs: !sealed && !isTooLong(line),
    };
  }
  // Goes on from what the line says: one edited line is one problem, whatever follows it.
  const place = { lines, seal, sealed: true };
  const belongs = !isTooLong(line) && seal === sealOf(before.seal, bytes.subarray(0, at));
  return { place, belongs };
}

/** Reads a line whose JSON is `value`; undefined where it is not JSON. */
export function readLine<T>(
  file: string,
  schema: z.ZodType<T>,
  before: ChainPlace,
  { value, ...bytes }: LineBytes & { value: unknown },
): LogLine<T> {
  const { place, belongs } = followLine(before, bytes);
  const line = place.lines;
  if (isTooLong(bytes)) {
    return {
      place,
      problem: notOurs({ file, line }, `it is longer than ${sizeText(longestLine)}`),
    };
  }
  if (value === undefined) return { place, problem: notOurs({ file, line }, 'it is not JSON') };
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join('.') || undefined;
    return { place, problem: notOurs({ file, line, field }, issue?.message ?? 'unknown shape') };
  }
  if (belongs) return { place, record: parsed.data };
  return { place, record: parsed.data, problem: misplaced(file, line) };
}

/** The problem of a log with more than `mostBrokenLines`, of which `line` is the last that was read. */
export function tooBroken(file: string, line: number): CfsError {
  const why = `More than ${mostBrokenLines} lines up to here are no records; the rest was not read.`;
  return brokenLog({ file, line }, why);
}

/** Throws `RECORD_BROKEN` where a log ends before, or passed otherwise, where it ended once. */
export function requireEnd(file: string, known: LogEnd | undefined, found: LogEnd): void {
  if (known === undefined || found.lines > known.lines) return;
  if (found.lines < known.lines) {
    const line = found.lines + 1;
    throw brokenLog(
      { file, line },
      `The end of this file is missing: it had ${known.lines} lines.`,
    );
  }
  if (found.seal !== known.seal) {
    throw brokenLog({ file, line: found.lines }, 'This file was replaced or edited.');
  }
}

/** The problem of a line that does not belong where it stands. */
export function misplaced(file: string, line: number): CfsError {
  const why = 'This line was edited, moved or repeated, or lines before it are missing.';
  return brokenLog({ file, line }, why);
}

export function brokenLog(place: CfsError['place'], message: string): CfsError {
  return new CfsError({
    code: 'RECORD_BROKEN',
    message,
    remedy: "Restore the file from a backup, or start a new run with this run's run.yaml.",
    place,
  });
}

/** The value, or undefined (which JSON cannot hold) for a line that is no JSON. */
export function parseLine(line: LineBytes): unknown {
  return isTooLong(line) ? undefined : parseJsonIfAny(line.bytes.toString('utf8'));
}

/** Whether a line, whose JSON is `value`, may be half of one: at the end of a log, a crash leaves that. */
export function isHalf(line: LineBytes, value: unknown): boolean {
  return value === undefined && !isTooLong(line);
}

function notOurs(place: CfsError['place'], why: string): CfsError {
  return brokenLog(place, `This line is not a record that CFS Studio wrote: ${why}.`);
}

function sealOf(before: string, body: string | Buffer): string {
  return createHash('sha256').update(before).update(body).digest('hex').slice(0, sealDigits);
}
