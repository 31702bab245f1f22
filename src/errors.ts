/**
 * The one error type that reaches a user. Everything that can go wrong outside a bug in our own
 * code is thrown as a `CfsError`: a stable code, what happened, where, and what to do next, so that
 * the Problems panel, a notification and stderr can each show it without a stack.
 */
import type { ErrorCode } from './errorCodes.js';
import { own } from './own.js';
import { setOff } from './text.js';

/** Where an error is: any part may be missing. `line` and `column` count from 1. */
export interface Place {
  file?: string;
  line?: number;
  column?: number;
  field?: string;
  /** The field of `run.yaml` that the file was named in, or the value came from. */
  setting?: string;
}

export interface ErrorDetails {
  code: ErrorCode;
  /** What happened, one sentence. */
  message: string;
  /** What to do next, one imperative sentence. */
  remedy: string;
  place?: Place;
  cause?: unknown;
}

export class CfsError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly place: Place;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CfsError';
    this.code = details.code;
    this.remedy = details.remedy;
    this.place = details.place ?? {};
  }
}

/** What people read of an error, whichever version of CFS Studio it comes from. */
type ErrorText = Pick<CfsError, 'message' | 'remedy' | 'place'> & { code: string };

/**
 * `file:line:column (field)` with the missing parts left out; empty when nothing is known. The empty
 * field is the whole of `run.yaml`.
 */
export function formatPlace(place: Place): string {
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined);
  const field = place.field ?? '';
  return [position.join(':'), field === '' ? '' : `(${field})`]
    .filter((part) => part !== '')
    .join(' ');
}

/** Three lines for a terminal: code and message, place, remedy. The code may be another version's. */
export function formatError({ code, message, remedy, place }: ErrorText): string {
  const where = formatPlace(place);
  const lines = [
    `${code}: ${message}`,
    ...(where === '' ? [] : [`  at ${where}`]),
    `  → ${remedy}`,
  ];
  return lines.map(setOff).join('\n');
}

/** What the operating system refuses, by Node's code, to stand after a colon. */
const refusals: Readonly<Record<string, string>> = {
  EACCES: 'permission was denied',
  EBUSY: 'another program is using it',
  EEXIST: 'there is one already',
  EIO: 'the drive reported an error',
  EISDIR: 'it is a folder, not a file',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'its name is too long',
  ENFILE: 'too many files are open',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  ENOTFILE: 'it is a pipe or a device, not a file',
  EPERM: 'permission was denied',
  EROFS: 'the disk is read-only',
  EDQUOT: 'the disk quota is used up',
};

/** What Node's errors say of the operating system, where they are of it. */
interface SystemError extends Error {
  code?: string;
  syscall?: string;
  path?: string;
}

/** The text of whatever was thrown; what the operating system refused, in words. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { code = '', syscall, path }: SystemError = thrown;
  if (code === 'ENOENT' && syscall?.startsWith('spawn')) return `there is no program “${path}”`;
  // Others as Node has them, without their code and what follows: `EXDEV: cross-device link …, rename`.
  return (
    own(refusals, code) ?? /^E[A-Z0-9]+: (.+?), \w+/.exec(thrown.message)?.[1] ?? thrown.message
  );
}

/** What `work` gives; undefined where it threw a `CfsError`, which `tell` hears of. */
export function attempt<T>(work: () => T, tell: (problem: CfsError) => void): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    tell(error);
    return undefined;
  }
}

/** For whoever is told of problems and goes on with none. */
export function raise(problem: CfsError): never {
  throw problem;
}

/** `attempt` for work that takes its time. */
export async function attemptAsync<T>(
  work: () => Promise<T>,
  tell: (problem: CfsError) => void,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    tell(error);
    return undefined;
  }
}

/** An invariant of our own code; its failure is a bug, not a user's mistake. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Internal error: ${message}`);
}

/** `value`, or an internal error naming `what` when it is missing (for `noUncheckedIndexedAccess`). */
export function defined<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`Internal error: no ${what}`);
  return value;
}
