/**
 * Whatever was thrown, as data, and back: for `run_failed` events, messages between processes and
 * pages, and `--json`.
 */
import { CfsError, messageOf } from '../errors.js';
import type { ErrorRecord } from './records.js';

export function errorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof CfsError) {
    const { code, message, remedy, place } = thrown;
    return { code, message, remedy, place };
  }
  return {
    code: 'INTERNAL',
    message: messageOf(thrown),
    remedy: 'This is a bug in CFS Studio; please report it with the output of CFS_DEBUG=1.',
    place: {},
  };
}
