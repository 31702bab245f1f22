/**
 * The one error type that reaches a user. Everything that can go wrong outside a bug in our own
 * code is thrown as a `CfsError`: a stable code, what happened, where, and what to do next, so that
 * the Problems panel, a notification and stderr can each show it without a stack.
 */
import type { ErrorCode } from './errorCodes.js';

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

/** `file:line:column (field)` with the missing parts left out; empty when nothing is known. */
export function formatPlace(place: Place): string {
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined);
  const field = place.field === undefined ? '' : `(${place.field})`;
  return [position.join(':'), field].filter((part) => part !== '').join(' ');
}

/** Three lines for a terminal: code and message, place, remedy. The code may be another version's. */
export function formatError({ code, message, remedy, place }: ErrorText): string {
  const where = formatPlace(place);
  return [`${code}: ${message}`, ...(where === '' ? [] : [`  at ${where}`]), `  → ${remedy}`].join(
    '\n',
  );
}

/** The text of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
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
