/** Tokenizers: a tiny one made here, the two real models' fixtures, and round trips on six more. */
import { copyFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkTokenizer, loadTokenizer } from '../../../src/model/tokenizer.js';
import { caught, letterTokenizer, temporaryFolder, writeFiles } from './folderFixture.js';

function load(files: Record<string, unknown>): ReturnType<typeof loadTokenizer> {
  return loadTokenizer(writeFiles(temporaryFolder(), files));
}

describe('loadTokenizer', () => {
  const tokenizer = load({ 'tokenizer.json': letterTokenizer() });
  const id = (token: string): number => tokenizer.idOf(token) ?? -1;

  it('encodes and decodes', () => {
    expect(tokenizer.encode('cab')).toEqual([id('c'), id('ab')]);
    expect(tokenizer.decode(tokenizer.encode('cab cab'))).toBe('cab cab');
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.vocabSize).toBe(39);
  });

  it('turns special tokens in a text into themselves only when asked', () => {
    const letters = ['<', '/', 's', '>'].map(id);
    expect(tokenizer.encode('a</s>')).toEqual([id('a'), ...letters]);
    expect(tokenizer.encodeWithSpecials('a</s>')).toEqual([id('a'), id('</s>')]);
    expect(tokenizer.encode('a@@')).toEqual([id('a'), id('@@')]);
  });

  it('leaves special tokens out of decoded text unless they are kept', () => {
    const ids = tokenizer.encodeWithSpecials('<s>ab</s>');
    expect(tokenizer.decode(ids)).toBe('ab');
    expect(tokenizer.decode(ids, { keepSpecial: true })).toBe('<s>ab</s>');
    expect(tokenizer.decode([id('a'), 1_000_000])).toBe('a');
  });

  it('shows single tokens', () => {
    const shown = tokenizer.encodeWithSpecials(' ab<s>').map((one) => tokenizer.tokenText(one));
    expect(shown).toEqual([' ', 'ab', '<s>']);
    expect(tokenizer.tokenText(1_000_000)).toBe('[1000000]');
  });

  it('keeps the spaces before punctuation that clean-up would remove', () => {
    const cleaning = load({
      'tokenizer.json': letterTokenizer(),
      'tokenizer_config.json': { clean_up_tokenization_spaces: true },
    });
    expect(cleaning.decode(cleaning.encode('stop . now .'))).toBe('stop . now .');
  });

  it('counts as special what tokenizer_config.json names, and adds its tokens', () => {
    const more = load({
      'tokenizer.json': letterTokenizer(),
      'tokenizer_config.json': {
        bos_token: { content: '@@' },
        added_tokens_decoder: { 39: { content: '<extra>', special: true } },
      },
    });
    expect(more.decode([id('a'), id('@@'), 39])).toBe('a');
    expect(more.idOf('<extra>')).toBe(39);
    expect(more.vocabSize).toBe(40);
  });

  it('finds the chat template in each of its places', () => {
    const json = letterTokenizer();
    const named = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    const templateOf = (files: Record<string, unknown>): string | undefined =>
      load({ 'tokenizer.json': json, ...files }).chatTemplate;
    expect(templateOf({})).toBeUndefined();
    expect(templateOf({ 'tokenizer_config.json': { chat_template: 'S' } })).toBe('S');
    expect(templateOf({ 'tokenizer_config.json': { chat_template: named } })).toBe('D');
    expect(templateOf({ 'tokenizer_config.json': {}, 'chat_template.jinja': 'J' })).toBe('J');
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no tokenizer', {}, 'TOKENIZER_MISSING', /no tokenizer\.json/],
    [
      'a sentencepiece model',
      { 'tokenizer.model': '' },
      'TOKENIZER_MISSING',
      /only tokenizer\.mod/,
    ],
    ['another JSON file', { 'tokenizer.json': { a: 1 } }, 'MODEL_FILE_INVALID', /not as expected/],
    [
      'an unknown component',
      { 'tokenizer.json': letterTokenizer({ pre_tokenizer: { type: 'Nonsense' } }) },
      'TOKENIZER_UNSUPPORTED',
      /Nonsense/,
    ],
    [
      'an absurd id',
      {
        'tokenizer.json': letterTokenizer({
          model: { type: 'BPE', vocab: { a: 1e15 }, merges: [] },
        }),
      },
      'TOKENIZER_UNSUPPORTED',
      /1000000000000000/,
    ],
    [
      'no merges',
      { 'tokenizer.json': letterTokenizer({ model: { type: 'BPE', vocab: { a: 0 } } }) },
      'TOKENIZER_UNSUPPORTED',
      /cannot be used/,
    ],
  ])('says what is wrong with %s', (_, files, code, message) => {
    const error = caught(() => load(files));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('refuses a tokenizer with more ids than the model', () => {
    checkTokenizer(tokenizer, 39, 'folder');
    const error = caught(() => checkTokenizer(tokenizer, 38, 'folder'));
    expect(error.code).toBe('TOKENIZER_MISMATCH');
    expect(error.message).toContain('39 ids, but the model knows only 38');
  });
});

const fixtureSchema = z.array(z.object({ text: z.string(), ids: z.array(z.int()) }));
const shared = '../shared/data';

for (const name of ['stories15M', 'stories260K']) {
  const folder = join(shared, 'models', name);
  describe.skipIf(!existsSync(folder))(`the real ${name} (needs ../shared)`, () => {
    it('gives the ids of its fixtures, double spaces too, and their texts back', () => {
      const tokenizer = loadTokenizer(folder);
      const raw: unknown = JSON.parse(readFileSync(join(folder, 'token_fixtures.json'), 'utf8'));
      const fixtures = fixtureSchema.parse(raw);
      expect(fixtures.length).toBeGreaterThan(0);
      for (const { text, ids } of fixtures) {
        expect([tokenizer.idOf('<s>'), ...tokenizer.encode(text)]).toEqual(ids);
        expect(tokenizer.decode(ids)).toBe(text);
      }
    });
  });
}

const texts = [
  'Once upon a time, there was a little girl named Lily.',
  '  two  spaces\nnew line\ttab\r\n\n\n    indented  ',
  "Don't stop , never ! isn't it ?",
  'déjà vu — 你好 🙂 日本語 العربية 12345 3.14e-9',
  'for (let i = 0; i < 10; i++) { x[i] += "</s>"; }',
  '<|endoftext|> and <|im_end|> and <|eot_id|> as plain text',
];
const tokenizers = join(shared, 'tokenizers');
describe.skipIf(!existsSync(tokenizers))('six real tokenizers (need ../shared)', () => {
  const files = existsSync(tokenizers)
    ? readdirSync(tokenizers).flatMap((name) =>
        name === 'olmo'
          ? readdirSync(join(tokenizers, name)).map((file) => join(name, file))
          : [join(name, 'tokenizer.json')],
      )
    : [];

  it.each(files)('%s gives every text back, with no special token in it', (file) => {
    const folder = temporaryFolder();
    copyFileSync(join(tokenizers, file), join(folder, 'tokenizer.json'));
    const tokenizer = loadTokenizer(folder);
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(Math.max(...ids)).toBeLessThan(tokenizer.vocabSize);
    }
    const separator = tokenizer.idOf('<|endoftext|>') ?? tokenizer.idOf('<|end_of_text|>') ?? -1;
    const written = tokenizer.decode([separator], { keepSpecial: true });
    expect(tokenizer.encode(written)).not.toContain(separator);
    expect(tokenizer.encodeWithSpecials(written)).toEqual([separator]);
  });
});
