/** Something that is known about a run before it runs, at the field of `run.yaml` that it belongs to. */
import type { CfsError } from '../errors.js';
import { errorRecord } from '../protocol/errorRecord.js';
import type { FindingRecord } from '../protocol/preview.js';

export interface Finding {
  /** `error`: the run would fail. */
  severity: FindingRecord['severity'];
  /** Dotted, as in `evaluation.tasks[1]`. */
  field: string;
  problem: CfsError;
}

/** Throws the first error among them. */
export function requireNoError(findings: readonly Finding[]): void {
  const first = findings.find(({ severity }) => severity === 'error');
  if (first !== undefined) throw first.problem;
}

export function findingRecord({ severity, field, problem }: Finding): FindingRecord {
  return { severity, field, error: errorRecord(problem) };
}
