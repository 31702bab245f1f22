/** The demo's tokenizer: trained reproducibly, and read by the library as it was meant. */
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { generateCorpus } from '../../../scripts/demo/corpus.js';
import { BOS, EOS, byteAlphabet, trainTokenizer } from '../../../scripts/demo/trainTokenizer.js';

const texts = [...generateCorpus({ seed: 3, documents: 500 })].map(({ text }) => text);
const files = trainTokenizer(texts, 512, 256);
const tokenizer = new Tokenizer(files.tokenizer, files.config);
const encode = (text: string) => tokenizer.encode(text, { add_special_tokens: false });

/** The model's part of a tokenizer.json. */
function modelOf({ tokenizer: json }: { tokenizer: object }): {
  vocab: Record<string, number>;
  merges: [string, string][];
} {
  return (json as { model: { vocab: Record<string, number>; merges: [string, string][] } }).model;
}

describe('trainTokenizer', () => {
  it('gives exactly the vocabulary asked for: special tokens, bytes, merges', () => {
    const { vocab, merges } = modelOf(files);
    const ids = Object.values(vocab).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: 512 }, (_, id) => id));
    expect(vocab[BOS]).toBe(0);
    expect(vocab[EOS]).toBe(1);
    expect(merges).toHaveLength(512 - 2 - 256);
  });

  it('merges the most frequent pair first, and the lower ids among equals', () => {
    // Both pairs of each word occur five times and twice; `ab` has the lower left id.
    const { merges } = modelOf(trainTokenizer(['xyxyxyxyxy', 'cd', 'ab', 'cd', 'ab'], 261, 8));
    expect(merges).toEqual([
      ['x', 'y'],
      ['xy', 'xy'],
      ['a', 'b'],
    ]);
  });

  it('does not depend on the order of the texts', () => {
    expect(trainTokenizer([...texts].reverse(), 512, 256)).toEqual(files);
  });

  it('maps the bytes to 256 different printable characters, ASCII letters to themselves', () => {
    const alphabet = byteAlphabet();
    expect(new Set(alphabet).size).toBe(256);
    expect(alphabet[0x41]).toBe('A');
    expect(alphabet[0x20]).toBe('Ġ');
    expect(alphabet[0x0a]).toBe('Ċ');
  });

  it('says so when the texts are too few', () => {
    expect(() => trainTokenizer(['ab'], 300, 8)).toThrow(/too few/);
  });
});

describe('the tokenizer in @huggingface/tokenizers', () => {
  it('round-trips the corpus and text it has never seen', () => {
    const strange = [' ', '  a\n\n b\t', 'É — ☃ 日本 👩‍🚀', "it's 3.14%", '\u0000\u007f'];
    for (const text of [...texts.slice(0, 200), ...strange]) {
      expect(tokenizer.decode(encode(text).ids)).toBe(text);
    }
  });

  it('makes every digit one token', () => {
    expect(encode('37+5 = 42').tokens).toEqual(['3', '7', '+', '5', 'Ġ', '=', 'Ġ', '4', '2']);
  });

  it('never merges across words', () => {
    for (const token of Object.keys(modelOf(files).vocab)) expect(token).not.toMatch(/[^Ġ]Ġ/);
  });

  it('begins a sequence with BOS when special tokens are asked for', () => {
    expect(tokenizer.encode('fox').ids[0]).toBe(0);
    expect(encode('fox').ids).not.toContain(0);
  });
});
