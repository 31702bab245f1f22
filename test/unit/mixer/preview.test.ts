/** The preview must say what training will do, so it is compared with the mixer itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDataset } from '../../../src/mixer/dataset.js';
import { createMixer, sourceOf, type Source } from '../../../src/mixer/mixer.js';
import { previewMix, type PreviewOptions } from '../../../src/mixer/preview.js';
import { contextFreeRow } from '../../../src/mixer/rows.js';
import { storeRows } from '../../../src/mixer/rowStore.js';
import { BOS, characters, EOS } from './fakeTokenizer.js';

const tokenizer = characters();
let folder = '';
let common: Omit<PreviewOptions, 'sources' | 'length'>;
let dataset: Source;
const samples = sourceOf(
  'context-free',
  storeRows([contextFreeRow([0, 2, 3]), contextFreeRow([0, 4, 5, 6, 1])]),
);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-preview-'));
  const file = join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 20 }, (_, i) => ({ prompt: `${i % 10}`, completion: 'abc' }));
  const long = [
    { prompt: 'p', completion: 'too long' },
    { prompt: 'far too long', completion: 'a' },
  ];
  writeFileSync(file, [...rows, ...long].map((row) => JSON.stringify(row)).join('\n'));
  const tokenize = { tokenizer, bos: BOS, eos: EOS, maxLength: 8 };
  const { rows: kept, report } = await loadDataset([file], {}, tokenize);
  const tokenText = (id: number): string => tokenizer.text(id);
  dataset = sourceOf('dataset', kept);
  common = { report, seed: 3, mode: 'per-batch', batchRows: 4, tokenText };
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('preview', () => {
  it('counts rows, tokens and steps of both kinds', () => {
    const sources = [dataset, samples];
    const preview = previewMix({ ...common, sources, length: { epochs: 3 } });
    // 20 rows of BOS, digit, line break, a, b, c, EOS, and one of 8 tokens that lost its end.
    expect(preview.sources).toEqual([
      {
        ...{ id: 'dataset', role: 'dataset', planned: false, rows: 21, rowsPerEpoch: 21 },
        ...{ tokens: 148, supervisedTokens: 85, longest: 8 },
      },
      {
        ...{ id: 'cfs', role: 'context-free', planned: false, rows: 2, rowsPerEpoch: 7 },
        ...{ tokens: 8, supervisedTokens: 6, longest: 5 },
      },
    ]);
    expect(preview).toMatchObject({ stepsPerEpoch: 7, steps: 21, epochs: 3 });
    expect(preview).toMatchObject({ leftOut: 1, truncated: 1 });
    const mixer = createMixer({ ...common, sources });
    expect(mixer.stepsPerEpoch).toBe(preview.stepsPerEpoch);
  });

  it('shows the first batch as training will draw it', () => {
    const sources = [dataset, samples];
    const preview = previewMix({ ...common, sources, length: { steps: 2 } });
    const step = createMixer({ ...common, sources }).next();
    expect(preview.batch.map(({ source }) => source)).toEqual(step?.sources);
    expect(preview.batch.map(({ row }) => row)).toEqual(step?.rowIndices);
    expect(preview.epochs).toBeCloseTo(2 / 7);
    const [first] = preview.batch;
    expect(
      first?.tokens.map(({ text, supervised }) => (supervised ? `“${text}”` : text)).slice(2),
    ).toEqual([...['\n', '“a”', '“b”', '“c”', '“<eos>”']]);
    expect(first?.origin).toEqual({ file: 0, line: (first?.row ?? NaN) + 1 });
    const sample = preview.batch.at(-1);
    expect(sample?.origin).toBeUndefined();
    expect(sample?.tokens.map(({ supervised }) => supervised).slice(0, 2)).toEqual([false, true]);
  });

  it('plans with samples that are not generated yet', () => {
    const planned = sourceOf('context-free', { rows: 10, meanTokens: 50 });
    const sources = [dataset, planned];
    const preview = previewMix({ ...common, sources, length: { epochs: 1 } });
    expect(preview.sources[1]).toMatchObject({
      ...{ planned: true, tokens: 500, supervisedTokens: 490 },
    });
    expect(preview.batch.filter(({ source }) => source === 'cfs').map((row) => row.tokens)).toEqual(
      [[]],
    );
  });

  it('previews plain fine-tuning', () => {
    const preview = previewMix({ ...common, sources: [dataset], length: { epochs: 1 } });
    expect(preview.sources).toHaveLength(1);
    expect(preview.stepsPerEpoch).toBe(6);
  });
});
