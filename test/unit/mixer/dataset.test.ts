/** The whole way from files to rows: everything wrong is told at once, everything else is kept. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDataset, requireValid, scanDataset } from '../../../src/mixer/dataset.js';
import type { TokenRow } from '../../../src/model/batch.js';
import type { TokenizeOptions } from '../../../src/mixer/rows.js';
import { BOS, characters, EOS, words } from './fakeTokenizer.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-dataset-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, ...lines: string[]): string {
  const file = join(folder, name);
  writeFileSync(file, lines.join('\n'));
  return file;
}

const rowOf = (prompt: string, completion: string): string =>
  JSON.stringify({ prompt, completion });

function tokenizing(maxLength: number): TokenizeOptions {
  return { tokenizer: characters(), bos: BOS, eos: EOS, maxLength };
}

describe('validation', () => {
  it('reports all problems of all files at once, with their places', async () => {
    const good = fileOf('good.csv', 'prompt,completion,note', 'a,b,c');
    const bad = fileOf(
      'bad.jsonl',
      rowOf('a', 'b'),
      '{"prompt": "a", "completion" "b"}',
      '{"prompt": "a"}',
      '',
      rowOf('a', ''),
      rowOf('too long a prompt', 'b'),
      rowOf('fits', 'but too long'),
      rowOf('a', 'b'),
    );
    const quotes = fileOf('quotes.csv', 'prompt,completion', 'a,', 'b,"c', 'd,e');
    const missing = join(folder, 'missing.json');
    const kept: TokenRow[] = [];
    const report = await scanDataset([good, bad, quotes, missing], {}, tokenizing(9), (row) =>
      kept.push(row),
    );
    expect(
      report.problems.map(({ severity, code, file, line, column, field }) => [
        ...[severity, code, file, line, column, field],
      ]),
    ).toEqual([
      ['warning', 'COLUMNS_UNUSED', good, undefined, undefined, undefined],
      ['error', 'JSON_BROKEN', bad, 2, 30, undefined],
      ['error', 'FIELD_MISSING', bad, 3, undefined, 'completion'],
      ['error', 'EMPTY_RESPONSE', bad, 5, undefined, 'completion'],
      ['warning', 'RESPONSE_CUT_AWAY', bad, 6, undefined, undefined],
      ['warning', 'ROW_TRUNCATED', bad, 7, undefined, undefined],
      ['error', 'CSV_QUOTES', quotes, 3, undefined, undefined],
      ['error', 'EMPTY_RESPONSE', quotes, 2, undefined, 'completion'],
      ['error', 'DATASET_UNREADABLE', missing, undefined, undefined, undefined],
    ]);
    expect(report).toMatchObject({ rows: 9, kept: 4, truncated: 1, errors: 6, warnings: 3 });
    expect(report.counts['EMPTY_RESPONSE']).toBe(2);
    expect(report.files.map(({ shape, rows }) => [shape, rows])).toEqual([
      ['prompt-completion', 1],
      ['prompt-completion', 7],
      ['prompt-completion', 1],
      [undefined, 0],
    ]);
    // 3 × [BOS a \n b EOS] and [BOS f i t s \n b u t].
    expect(kept.map(({ ids }) => ids.length)).toEqual([5, 5, 9, 5]);
    expect(kept.map(({ supervised }) => supervised.reduce((a, b) => a + b))).toEqual([2, 2, 3, 2]);
    for (const { remedy } of report.problems) expect(remedy).not.toBe('');
  });

  it('works without a tokenizer, and then knows nothing of lengths', async () => {
    const file = fileOf('plain.jsonl', rowOf('a', 'b'), rowOf('a', ''));
    const report = await scanDataset([file], {});
    expect(report).toMatchObject({ rows: 2, kept: 1, errors: 1 });
  });

  it('counts every problem and lists a bounded number', async () => {
    const file = fileOf('many.jsonl', rowOf('a', 'b'), ...Array<string>(3000).fill('{'));
    const report = await scanDataset([file], {});
    expect(report.counts).toEqual({ JSON_BROKEN: 3000 });
    expect(report.errors).toBe(3000);
    expect(report.problems.length).toBe(1000);
  });

  it('names a file without rows and columns that say nothing', async () => {
    const empty = fileOf('empty.jsonl', '', '');
    const unknown = fileOf('unknown.jsonl', '{"a": "1", "b": "2"}', '{broken');
    const report = await scanDataset([empty, unknown], {});
    expect(report.problems.map(({ code, file, line }) => [code, file, line])).toEqual([
      ['DATASET_EMPTY', empty, undefined],
      ['JSON_BROKEN', unknown, 2],
      ['DATASET_COLUMNS', unknown, undefined],
    ]);
  });
});

it('counts all rows of a file whose columns say nothing, and suggests what they are', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `{"mr": "${i}", "ref": "b"}`);
  const report = await scanDataset([fileOf('long.jsonl', ...rows, '{broken')], {});
  expect(report).toMatchObject({ rows: 41, kept: 0 });
  expect(report.counts).toEqual({ DATASET_COLUMNS: 1, JSON_BROKEN: 1 });
  expect(report.files[0]?.suggestedColumns).toEqual({ prompt: 'mr', completion: 'ref' });
});

describe('loading', () => {
  it('keeps the usable rows with their origin', async () => {
    const first = fileOf('first.jsonl', rowOf('a', 'b'), '{', rowOf('c', 'd'));
    const second = fileOf('second.csv', 'text', 'xyz');
    const { rows, report } = await loadDataset([first, second], {}, tokenizing(20));
    expect(rows.count).toBe(3);
    expect([0, 1, 2].map((i) => rows.origin(i))).toEqual([
      { file: 0, line: 1 },
      { file: 0, line: 3 },
      { file: 1, line: 2 },
    ]);
    expect([...rows.row(2).supervised]).toEqual([0, 1, 1, 1, 1]);
    expect(() => requireValid(report)).toThrow(
      expect.objectContaining({
        code: 'DATASET_INVALID',
        place: { file: first, line: 2, column: 2, field: undefined },
      }) as Error,
    );
  });

  it('refuses a dataset whose every response is cut away', async () => {
    const file = fileOf('long.jsonl', rowOf('a long prompt', 'b'), rowOf('another one', 'b'));
    await expect(loadDataset([file], {}, tokenizing(5))).rejects.toMatchObject({
      code: 'DATASET_EMPTY',
      place: { file },
    });
    const { problems } = await scanDataset([file], {}, tokenizing(5));
    expect(problems.map(({ code, line }) => [code, line])).toEqual([
      ['RESPONSE_CUT_AWAY', 1],
      ['RESPONSE_CUT_AWAY', 2],
    ]);
  });

  it('accepts a report with warnings only', async () => {
    const file = fileOf('fine.jsonl', rowOf('a', 'bcdefgh'));
    const { report } = await loadDataset([file], {}, tokenizing(5));
    expect(report.warnings).toBe(1);
    expect(() => requireValid(report)).not.toThrow();
  });
});

const data = '../shared/data/datasets';
describe.skipIf(!existsSync(data))('public datasets (../shared/data/datasets)', () => {
  const tokenize: TokenizeOptions = { tokenizer: words(), bos: BOS, eos: EOS, maxLength: 4096 };

  it('E2E NLG, columns mapped', async () => {
    const file = `${data}/e2e_nlg/devset.csv`;
    const options = { columns: { prompt: 'mr', response: 'ref' } } as const;
    const report = await scanDataset([file], options, tokenize);
    expect(report).toMatchObject({ rows: 4672, kept: 4672, errors: 0, warnings: 0 });
    const unmapped = await scanDataset([file], {});
    expect(unmapped.problems[0]?.message).toContain('mr, ref');
  });

  it.each([
    ['alpaca_demo/alpaca_en_demo.json', {}, 'instruction'],
    ['gsm8k/train.jsonl', {}, 'question-answer'],
    ['lambada/lambada_test.jsonl', {}, 'text'],
    [
      'svamp/SVAMP.json',
      { columns: { context: 'Body', question: 'Question', answer: 'Answer' } as const },
      'question-answer',
    ],
    [
      'mbpp/mbpp.jsonl',
      { columns: { prompt: 'text', response: 'code' } as const },
      'prompt-completion',
    ],
    [
      'clinc150/data_full.json',
      { list: 'train', columns: { prompt: '0', response: '1' } as const },
      'prompt-completion',
    ],
  ])('%s', async (path, options, shape) => {
    const report = await scanDataset([`${data}/${path}`], options, tokenize);
    expect(report.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(report.files[0]?.shape).toBe(shape);
    expect(report.kept).toBe(report.rows);
    expect(report.rows).toBeGreaterThan(900);
  });
});
