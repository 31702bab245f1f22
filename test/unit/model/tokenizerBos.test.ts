import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tokenizerAddsBos } from '../../../src/model/bos.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bos-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function adds(config: object, processor: object | null): boolean {
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ post_processor: processor }));
  return tokenizerAddsBos(folder);
}

describe('tokenizerAddsBos', () => {
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>' } }, { Sequence: { id: 'A' } }],
  };
  const plain = { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A' } }] };

  it('reads the post-processor, also inside a sequence of them', () => {
    expect(adds({}, template)).toBe(true);
    expect(adds({}, { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] })).toBe(
      true,
    );
    expect(adds({}, plain)).toBe(false);
    expect(adds({}, { type: 'ByteLevel' })).toBe(false);
    expect(adds({}, null)).toBe(false);
  });

  it('lets add_bos_token have the last word', () => {
    expect(adds({ add_bos_token: false }, template)).toBe(false);
    expect(adds({ add_bos_token: true }, null)).toBe(true);
  });
});

const tokenizers = join(import.meta.dirname, '../../../../shared/data/tokenizers');
describe.skipIf(!existsSync(tokenizers))('on the shared tokenizers', () => {
  it.each([
    ['llama3_1', true],
    ['gpt2', false],
    ['qwen3', false],
    ['gpt_neox_pythia', false],
    ['../models/stories15M', true],
  ])('%s: %s', (name, expected) => {
    expect(tokenizerAddsBos(join(tokenizers, name))).toBe(expected);
  });
});
