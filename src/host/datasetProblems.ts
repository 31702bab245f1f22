/**
 * Problems of a dataset as the Problems panel wants them: by file, with a range that underlines the
 * row, and one note for those that are not listed.
 */
import type { DatasetProblem, DatasetReport } from '../protocol/datasetReport.js';

export interface ProblemNote {
  severity: 'error' | 'warning';
  /** What is wrong, and what to do. */
  message: string;
  code: string;
  /** From 0. The range ends with the line. */
  line: number;
  column: number;
}

/** The editor cuts a file's list at 1,000 and would drop the note about the rest. */
const mostPerFile = 500;

/** Notes by absolute path; a file without problems has an empty list, which clears its old ones. */
export function problemNotes(
  report: Pick<DatasetReport, 'problems' | 'errors' | 'warnings'>,
  files: readonly string[],
): Map<string, ProblemNote[]> {
  const notes = new Map<string, ProblemNote[]>(files.map((file) => [file, []]));
  let listed = 0;
  let last = files[0];
  for (const problem of report.problems) {
    const list = notes.get(problem.file) ?? [];
    notes.set(problem.file, list);
    if (list.length === mostPerFile) continue;
    list.push(noteOf(problem));
    listed++;
    last = problem.file;
  }
  const more = report.errors + report.warnings - listed;
  if (more > 0 && last !== undefined) notes.get(last)?.push(noteAboutRest(more));
  return notes;
}

function noteOf({ severity, code, message, remedy, line, column }: DatasetProblem): ProblemNote {
  return {
    severity,
    code,
    message: `${message} ${remedy}`,
    line: fromZero(line),
    column: fromZero(column),
  };
}

function noteAboutRest(more: number): ProblemNote {
  return {
    severity: 'warning',
    code: 'MORE_PROBLEMS',
    message:
      `${more.toLocaleString('en')} more problems in this dataset are not listed. ` +
      'Correct those listed and save the file to check it again.',
    line: 0,
    column: 0,
  };
}

/** A place that is not known is the beginning. */
function fromZero(count: number | undefined): number {
  return Math.max(0, (count ?? 1) - 1);
}
