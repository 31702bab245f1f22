/**
 * Everything found wrong with a dataset, gathered so that it can be shown at once: the first ones
 * in full, all of them in numbers, whatever the size of the dataset.
 */
import type { CfsError } from '../errors.js';
import type { DatasetProblem, DatasetReport } from '../protocol/datasetReport.js';

export type Severity = DatasetProblem['severity'];

export type ProblemSummary = Pick<DatasetReport, 'problems' | 'counts' | 'errors' | 'warnings'>;

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
