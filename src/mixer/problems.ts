/**
 * Everything found wrong with a dataset, gathered so that it can be shown at once: the first ones
 * in full, all of them in numbers, whatever the size of the dataset.
 */
import type { ErrorCode } from '../errorCodes.js';
import type { CfsError } from '../errors.js';

/** `error`: the row (or file) cannot be used as it is; `warning`: usable, or left out on purpose. */
export type Severity = 'error' | 'warning';

export interface Problem {
  severity: Severity;
  code: ErrorCode;
  message: string;
  remedy: string;
  file: string;
  /** From 1. Missing when the problem is the whole file's. */
  line?: number;
  column?: number;
  field?: string;
}

export interface ProblemSummary {
  /** The first problems, in reading order; see `counts` for how many there are. */
  problems: Problem[];
  /** How many there are of each code, those not listed included. */
  counts: Partial<Record<ErrorCode, number>>;
  errors: number;
  warnings: number;
}

const MOST_LISTED = 1000;

/** Collects problems; `summary` may be asked for at any time. */
export function createProblemList() {
  const found: ProblemSummary = { problems: [], counts: {}, errors: 0, warnings: 0 };
  return {
    add: (severity: Severity, error: CfsError, file: string, line?: number): void => {
      found.counts[error.code] = (found.counts[error.code] ?? 0) + 1;
      if (severity === 'error') found.errors++;
      else found.warnings++;
      if (found.problems.length === MOST_LISTED) return;
      const { column, field } = error.place;
      const place = { file, line: error.place.line ?? line, column, field };
      const { code, message, remedy } = error;
      found.problems.push({ severity, code, message, remedy, ...place });
    },
    summary: (): ProblemSummary => found,
  };
}
