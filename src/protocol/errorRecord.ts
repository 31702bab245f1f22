/**
 * Whatever was thrown, as data, and back: for `run_failed` events, messages between processes and
 * pages, and `--json`.
 */
import { isErrorCode, type ErrorCode } from '../errorCodes.js';
import { CfsError, messageOf, type Place } from '../errors.js';
import type { ErrorRecord } from './records.js';

export function errorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof CfsError) {
    const { code, message, remedy, place } = thrown;
    return { code, message, remedy, place };
  }
  return {
    code: 'INTERNAL' satisfies ErrorCode,
    message: messageOf(thrown),
    remedy: 'This is a bug in CFS Studio; please report it with the output of CFS_DEBUG=1.',
    place: placeOf(thrown),
  };
}

/** The file that the operating system refused. */
function placeOf(thrown: unknown): Place {
  const path = thrown instanceof Error && 'path' in thrown ? thrown.path : undefined;
  return typeof path === 'string' ? { file: path } : {};
}

/** The error of a record. A code of another version is kept in the message. */
export function recordedError({ code, ...rest }: ErrorRecord): CfsError {
  if (isErrorCode(code)) return new CfsError({ code, ...rest });
  return new CfsError({ ...rest, code: 'OTHER_VERSION', message: `${code}: ${rest.message}` });
}
