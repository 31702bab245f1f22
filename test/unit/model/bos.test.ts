/** Finding BOS and EOS: every place a folder may name them in, and the real tokenizers. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findBos, findEos } from '../../../src/model/bos.js';
import type { BosFinding } from '../../../src/model/bos.js';
import { loadTokenizer } from '../../../src/model/tokenizer.js';
import { caught, letterTokenizer, temporaryFolder, writeFiles } from './folderFixture.js';

/** Ids of the letter tokenizer: 0 `<unk>`, 1 `<s>`, 2 `</s>`, 3 `<|endoftext|>`, 4 `<pad>`. */
function folderWith(files: Record<string, unknown>): string {
  return writeFiles(temporaryFolder(), { 'tokenizer.json': letterTokenizer(), ...files });
}

function find(folder: string, override?: number | string): BosFinding {
  return findBos(folder, loadTokenizer(folder), override);
}

const template = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [],
  special_tokens: {},
};
const ending = {
  type: 'TemplateProcessing',
  single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
  pair: [],
  special_tokens: {},
};
const sequence = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] };

describe('findBos', () => {
  const tokenizerConfig = { 'tokenizer_config.json': { bos_token: '<s>' } };
  const tokensMap = { 'special_tokens_map.json': { bos_token: { content: '</s>' } } };
  const config = { 'config.json': { bos_token_id: 4 } };
  const generation = { 'generation_config.json': { bos_token_id: 0 } };
  const processed = { 'tokenizer.json': letterTokenizer({ post_processor: template }) };
  const nested = { 'tokenizer.json': letterTokenizer({ post_processor: sequence }) };
  const atEnd = { 'tokenizer.json': letterTokenizer({ post_processor: ending }) };
  const nothing = { 'tokenizer_config.json': { bos_token: null }, 'config.json': {} };

  it.each<[string, Record<string, unknown>, string, string]>([
    ['the tokenizer config first', { ...config, ...tokensMap, ...tokenizerConfig }, '<s>', 'tok'],
    ['then the special tokens map', { ...generation, ...config, ...tokensMap }, '</s>', 'special'],
    ['then the config', { ...processed, ...generation, ...config }, '<pad>', 'config.json'],
    ['then the generation config', { ...processed, ...generation }, '<unk>', 'generation'],
    ['then the post-processor', processed, '<s>', 'tokenizer.json'],
    ['a post-processor inside a sequence', nested, '<s>', 'tokenizer.json'],
    ['a template that only ends the text as none', atEnd, '<|endoftext|>', 'fallback'],
    ['<|endoftext|> where nothing is named', nothing, '<|endoftext|>', 'fallback'],
  ])('takes %s', (_, files, token, source) => {
    const folder = folderWith(files);
    const found = find(folder);
    expect(found.token).toBe(token);
    expect(found.id).toBe(loadTokenizer(folder).idOf(token));
    expect(found.source.startsWith(source)).toBe(true);
    expect(found.reason).toContain(JSON.stringify(token));
    expect(found.reason).toMatch(/^[^.].*\.$/);
  });

  it('goes to the config when the tokenizer config says null, as Qwen2 does', () => {
    const folder = folderWith({
      'tokenizer_config.json': { bos_token: null, eos_token: '</s>' },
      'config.json': { bos_token_id: 3, eos_token_id: 2 },
    });
    const found = find(folder);
    expect(found).toMatchObject({ id: 3, token: '<|endoftext|>', source: 'config.json' });
    expect(found.reason).toBe('config.json gives 3, which is "<|endoftext|>", as bos_token_id.');
  });

  it('takes EOS where there is no <|endoftext|>', () => {
    const json = JSON.stringify(letterTokenizer()).replaceAll('<|endoftext|>', '<|nothing|>');
    const folder = folderWith({ 'tokenizer.json': json, 'config.json': { eos_token_id: [2, 4] } });
    expect(find(folder)).toMatchObject({ id: 2, source: 'fallback' });
    expect(find(folder).reason).toBe('"</s>" ends a text, so a new text may follow it.');
  });

  it('passes over tokens and ids that the tokenizer does not have', () => {
    const folder = folderWith({
      'tokenizer_config.json': { bos_token: '[CLS]' },
      'config.json': { bos_token_id: 50256 },
      'generation_config.json': { bos_token_id: 1 },
    });
    expect(find(folder)).toMatchObject({ id: 1, source: 'generation_config.json' });
  });

  it('lists the other candidates once each, without the chosen one and without padding', () => {
    const folder = folderWith({
      'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>' },
      'config.json': { bos_token_id: 1, eos_token_id: 2, pad_token_id: 4 },
    });
    expect(find(folder).candidates.map(({ token }) => token)).toEqual(['<|endoftext|>', '</s>']);
  });

  it('can be overridden by id or by text, and says what there is when that fails', () => {
    const folder = folderWith(tokenizerConfig);
    expect(find(folder, '</s>')).toMatchObject({ id: 2, token: '</s>', source: 'override' });
    expect(find(folder, 3)).toMatchObject({ id: 3, token: '<|endoftext|>', source: 'override' });
    expect(find(folder, 3).candidates.map(({ token }) => token)).toContain('<s>');
    for (const wrong of ['<none>', 99, -1, 1.5]) {
      const error = caught(() => find(folder, wrong));
      expect(error.code).toBe('BOS_OVERRIDE_UNKNOWN');
      expect(error.remedy).toContain('<s> (1)');
    }
  });

  it('says so when there is none', () => {
    const json = letterTokenizer({ added_tokens: [] });
    const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
    const folder = folderWith({ 'tokenizer.json': { ...json, model } });
    expect(caught(() => find(folder)).code).toBe('BOS_NOT_FOUND');
  });
});

describe('findEos', () => {
  it('joins what the files say, the generation config first', () => {
    const folder = folderWith({
      'generation_config.json': { eos_token_id: [4, 2] },
      'config.json': { eos_token_id: 2 },
      'tokenizer_config.json': { eos_token: '<|endoftext|>' },
    });
    expect(findEos(folder, loadTokenizer(folder))).toEqual([4, 2, 3]);
  });

  it('falls back to <|endoftext|>', () => {
    const folder = folderWith({ 'config.json': { eos_token_id: null } });
    expect(findEos(folder, loadTokenizer(folder))).toEqual([3]);
  });
});

const shared = '../shared/data';
describe.skipIf(!existsSync(shared))('the real tokenizers (need ../shared)', () => {
  it.each([
    ['models/stories15M', '<s>', 'tokenizer_config.json', ['</s>']],
    ['models/stories260K', '<s>', 'tokenizer_config.json', ['</s>']],
    ['tokenizers/gpt2', '<|endoftext|>', 'tokenizer_config.json', ['<|endoftext|>']],
    ['tokenizers/gpt_neox_pythia', '<|endoftext|>', 'tokenizer_config.json', ['<|endoftext|>']],
    ['tokenizers/llama3_1', '<|begin_of_text|>', 'tokenizer_config.json', ['<|eot_id|>']],
    ['tokenizers/qwen2_5', '<|endoftext|>', 'fallback', ['<|im_end|>']],
    ['tokenizers/qwen3', '<|endoftext|>', 'fallback', ['<|im_end|>']],
  ])('%s begins with %s', (path, token, source, eos) => {
    const folder = join(shared, path);
    const tokenizer = loadTokenizer(folder);
    expect(findBos(folder, tokenizer)).toMatchObject({ token, source });
    const ends = findEos(folder, tokenizer).map((id) => tokenizer.tokenText(id));
    expect(ends).toEqual(eos);
  });

  it('all three of OLMo begin with their separator', () => {
    const olmo = join(shared, 'tokenizers/olmo');
    const found = readdirSync(olmo).map((file) => {
      const folder = temporaryFolder();
      copyFileSync(join(olmo, file), join(folder, 'tokenizer.json'));
      return find(folder).token;
    });
    expect(found).toEqual(['<|endoftext|>', '<|endoftext|>', '<|endoftext|>']);
  });
});
