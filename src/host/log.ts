/** The log as the parts of the host write to it; `ui.ts` makes it. */
import { CfsError, formatError, messageOf } from '../errors.js';

export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** A failure as the log keeps it: a `CfsError` with place and remedy, a bug with its stack. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof CfsError) return formatError(thrown);
  return (thrown instanceof Error ? thrown.stack : undefined) ?? messageOf(thrown);
}
