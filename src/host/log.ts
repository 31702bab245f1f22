/** The little that the parts of the host without `vscode` need of its log channel. */
import type * as vscode from 'vscode';
import { CfsError, formatError, messageOf } from '../errors.js';

export type Log = Pick<vscode.LogOutputChannel, 'info' | 'warn' | 'error'>;

/** A failure as the log keeps it: a `CfsError` with place and remedy, a bug with its stack. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof CfsError) return formatError(thrown);
  return (thrown instanceof Error ? thrown.stack : undefined) ?? messageOf(thrown);
}
