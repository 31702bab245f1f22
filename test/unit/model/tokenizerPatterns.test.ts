/** Tokenizers with patterns of anybody's making are stopped; those of known models run as they are. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import * as deadline from '../../../src/deadline.js';
import { scanDataset } from '../../../src/mixer/dataset.js';
import { loadTokenizer } from '../../../src/model/tokenizer.js';
import { guardOf } from '../../../src/model/tokenizerPatterns.js';
import { expectError } from '../../support/expectError.js';
import { letterTokenizer, temporaryFolder, writeFiles } from './folderFixture.js';

const split = (Regex: string) => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }],
});
const endless = (): boolean => /^(a+)+$/.test(`${'a'.repeat(60)}b`);

describe('a tokenizer with a pattern that is not known', () => {
  const guard = guardOf([split('(a+)+$')], 'tokenizer.json', () => 50);

  it('is stopped with the pattern named, and not tried again after some texts', async () => {
    expect(guard(1, () => 'fine')).toBe('fine');
    for (let i = 0; i < 3; i++) {
      const slow = await expectError('TOKENIZER_SLOW', () => guard(61, endless));
      expect(slow.message).toContain('a text of 61 characters');
      expect(slow.message).toContain('such as “(a+)+$”');
      expect(slow.place).toEqual({ file: 'tokenizer.json' });
    }
    const work = vi.fn();
    await expectError('TOKENIZER_SLOW', () => guard(1, work));
    expect(work).not.toHaveBeenCalled();
  });

  it('is told with the row of the dataset that it was stopped at', async () => {
    const folder = writeFiles(temporaryFolder(), {
      'd.jsonl': '{"text": "fine"}\n{"text": "endless"}\n{"text": "fine"}\n',
    });
    const stops = guardOf([split('(a+)+$')], 'tokenizer.json', () => 50);
    const encode = (text: string): number[] =>
      stops(text.length, () => (text === 'endless' && endless() ? [] : [1, 2]));
    const tokenizer = { encode, encodeWithSpecials: encode };
    const report = await scanDataset(
      [join(folder, 'd.jsonl')],
      {},
      { tokenizer, bos: undefined, eos: 0, maxLength: 9 },
    );
    expect(report).toMatchObject({ rows: 3, kept: 2, errors: 1 });
    expect(report.problems[0]).toMatchObject({ code: 'TOKENIZER_SLOW', line: 2 });
  });

  it('gives the same ids as without a deadline', () => {
    const withinTime = vi.spyOn(deadline, 'withinTime');
    const load = (pre_tokenizer: unknown) =>
      loadTokenizer(
        writeFiles(temporaryFolder(), { 'tokenizer.json': letterTokenizer({ pre_tokenizer }) }),
      );
    const known = load(
      split("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),
    );
    const ids = known.encode('cab.abba');
    expect(withinTime).not.toHaveBeenCalled();
    expect(load(split('[a-z]+|\\.')).encode('cab.abba')).toEqual(ids);
    expect(withinTime).toHaveBeenCalled();
    withinTime.mockRestore();
  });
});

it('guards long texts whatever the pattern', async () => {
  const guard = guardOf([split('\\p{N}{1,3}')], 'tokenizer.json', () => 50);
  await expectError('TOKENIZER_SLOW', () => guard(100_000, endless));
});

const real = '../shared/data/tokenizers';
it.skipIf(!existsSync(real))('knows the patterns of ../shared/data/tokenizers', () => {
  for (const name of readdirSync(real)) {
    const file = `${real}/${name}/tokenizer.json`;
    if (!existsSync(file)) continue;
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const guard = guardOf([json['normalizer'], json['pre_tokenizer']], file, () => 0);
    expect(guard(1, () => name)).toBe(name);
  }
});
