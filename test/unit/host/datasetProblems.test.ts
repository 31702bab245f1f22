/** Problems of a dataset as notes of the Problems panel. */
import { describe, expect, it } from 'vitest';
import { problemNotes } from '../../../src/host/datasetProblems.js';
import type { DatasetProblem } from '../../../src/protocol/datasetReport.js';

const problem = (extra: Partial<DatasetProblem> = {}): DatasetProblem => ({
  severity: 'error',
  code: 'JSON_INVALID',
  message: 'This line is not JSON.',
  remedy: 'Close the quotation mark.',
  file: '/data/rows.jsonl',
  ...extra,
});
const report = (problems: DatasetProblem[], extra = {}) => ({
  problems,
  errors: problems.filter(({ severity }) => severity === 'error').length,
  warnings: problems.filter(({ severity }) => severity === 'warning').length,
  ...extra,
});

describe('problemNotes', () => {
  it('says what is wrong and what to do, counting from 0 as the editor does', () => {
    const notes = problemNotes(report([problem({ line: 42, column: 7 })]), ['/data/rows.jsonl']);
    expect(notes.get('/data/rows.jsonl')).toEqual([
      {
        severity: 'error',
        code: 'JSON_INVALID',
        message: 'This line is not JSON. Close the quotation mark.',
        line: 41,
        column: 6,
      },
    ]);
  });

  it('puts a problem of the whole file at its beginning', () => {
    const notes = problemNotes(report([problem()]), ['/data/rows.jsonl']);
    expect(notes.get('/data/rows.jsonl')?.[0]).toMatchObject({ line: 0, column: 0 });
  });

  it('clears files without problems', () => {
    const notes = problemNotes(report([problem()]), ['/data/rows.jsonl', '/data/good.jsonl']);
    expect(notes.get('/data/good.jsonl')).toEqual([]);
  });

  it('says how many problems are not listed', () => {
    const problems = Array.from({ length: 1000 }, (_, i) => problem({ line: i + 1 }));
    const notes = problemNotes(report(problems, { errors: 12_000, warnings: 34 }), [
      '/data/rows.jsonl',
    ]);
    const list = notes.get('/data/rows.jsonl') ?? [];
    expect(list).toHaveLength(501);
    expect(list.at(-1)).toMatchObject({ code: 'MORE_PROBLEMS', line: 0 });
    expect(list.at(-1)?.message).toMatch(/^11,534 more problems/);
  });

  it('adds no such note when all are listed', () => {
    const problems = [problem({ severity: 'warning', line: 3 }), problem({ line: 5 })];
    const list = problemNotes(report(problems), ['/data/rows.jsonl']).get('/data/rows.jsonl');
    expect(list?.map(({ severity }) => severity)).toEqual(['warning', 'error']);
  });
});
