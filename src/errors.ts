/**
 * The one error type that reaches a user. Everything that can go wrong outside a bug in our own
 * code is thrown as a `CfsError`: a stable code, what happened, where, and what to do next, so that
 * the Problems panel, a notification and stderr can each show it without a stack.
 */

/** Where an error is: any part may be missing. `line` and `column` count from 1. */
export interface Place {
  file?: string;
  line?: number;
  column?: number;
  field?: string;
}

export interface ErrorDetails {
  /** Stable, upper-case, e.g. `DATASET_ROW_INVALID`. */
  code: string;
  /** What happened, one sentence. */
  message: string;
  /** What to do next, one imperative sentence. */
  remedy: string;
  place?: Place;
  cause?: unknown;
}

export class CfsError extends Error {
  readonly code: string;
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

/** `file:line:column (field)` with the missing parts left out; empty when nothing is known. */
export function formatPlace(place: Place): string {
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined);
  const field = place.field === undefined ? '' : `(${place.field})`;
  return [position.join(':'), field].filter((part) => part !== '').join(' ');
}

/** Three lines for a terminal: code and message, place, remedy. */
export function formatError(error: CfsError): string {
  const place = formatPlace(error.place);
  return [
    `${error.code}: ${error.message}`,
    ...(place === '' ? [] : [`  at ${place}`]),
    `  → ${error.remedy}`,
  ].join('\n');
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
