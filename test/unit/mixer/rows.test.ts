/** Masks to the token: what is trained on, what is cut, and what is refused. */
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Example } from '../../../src/mixer/example.js';
import { contextFreeRow, tokenizeExample, type TokenizedRow } from '../../../src/mixer/rows.js';
import { createRowStoreBuilder, storeRows } from '../../../src/mixer/rowStore.js';
import { loadTokenizer, type Tokenizer } from '../../../src/model/tokenizer.js';
import { BOS, characters, EOS, words, type FakeTokenizer } from './fakeTokenizer.js';

const pair = (prompt: string, response: string): Example => ({
  segments: [
    { text: prompt, supervised: false },
    { text: response, supervised: true },
  ],
  chat: false,
  addEos: true,
});

function tokenize(
  example: Example,
  options: { bos?: number; maxLength?: number; tokenizer?: FakeTokenizer } = {},
): TokenizedRow & { shown: string[] } {
  const { tokenizer = characters(), maxLength = 100 } = options;
  const bos = 'bos' in options ? options.bos : BOS;
  const result = tokenizeExample(example, { tokenizer, bos, eos: EOS, maxLength });
  const { ids, supervised } = result.row;
  const shown = [...ids].map((id, i) =>
    supervised[i] === 1 ? `“${tokenizer.text(id)}”` : tokenizer.text(id),
  );
  return { ...result, shown };
}

describe('masks', () => {
  it('trains on the response and the EOS', () => {
    expect(tokenize(pair('ab', 'cd')).shown).toEqual(['<bos>', 'a', 'b', '“c”', '“d”', '“<eos>”']);
  });

  it('never trains on the first token', () => {
    const text: Example = {
      segments: [{ text: 'abc', supervised: true }],
      chat: false,
      addEos: true,
    };
    expect(tokenize(text).shown).toEqual(['<bos>', '“a”', '“b”', '“c”', '“<eos>”']);
    expect(tokenize(text, { bos: undefined }).shown).toEqual(['a', '“b”', '“c”', '“<eos>”']);
    expect(tokenize(pair('', 'ab'), { bos: undefined }).shown).toEqual(['a', '“b”', '“<eos>”']);
  });

  it('trains on every token of a context-free sample', () => {
    const { ids, supervised } = contextFreeRow([0, 5, 6, 1]);
    expect([...ids]).toEqual([0, 5, 6, 1]);
    expect([...supervised]).toEqual([0, 1, 1, 1]);
  });
});

describe('the border between prompt and response', () => {
  it('cuts as in running text where no token crosses it', () => {
    const { shown } = tokenize(pair('the end', ' of it'), { tokenizer: words() });
    expect(shown).toEqual(['<bos>', 'the', ' end', '“ of”', '“ it”', '“<eos>”']);
  });

  it('keeps the prompt as encoded alone where a token would cross it', () => {
    const { shown } = tokenize(pair('the end', 'less road'), { tokenizer: words() });
    expect(shown).toEqual(['<bos>', 'the', ' end', '“less”', '“ road”', '“<eos>”']);
  });
});

describe('chat rows', () => {
  const chat = (text: string, addEos = false): Example => ({
    segments: [
      { text, supervised: false },
      { text: 'ok<|end|>', supervised: true },
      { text: ' x', supervised: false },
      { text: 'y<|end|>', supervised: true },
    ],
    chat: true,
    addEos,
  });

  it('reads special tokens and adds no second BOS', () => {
    const expected = [
      '<bos>',
      '<|user|>',
      'h',
      '“o”',
      '“k”',
      '“<|end|>”',
      ' ',
      'x',
      '“y”',
      '“<|end|>”',
    ];
    expect(tokenize(chat('<bos><|user|>h')).shown).toEqual(expected);
    expect(tokenize(chat('<|user|>h')).shown).toEqual(expected);
    expect(tokenize(chat('<|user|>h'), { bos: undefined }).shown).toEqual(expected.slice(1));
  });

  it('adds an EOS where the template has no end of its own', () => {
    expect(tokenize(chat('h', true)).shown.at(-1)).toBe('“<eos>”');
  });

  it('takes special tokens in plain rows for text', () => {
    expect(tokenize(pair('<bos>', 'a')).shown).toEqual([
      ...['<bos>', '<', 'b', 'o', 's', '>', '“a”', '“<eos>”'],
    ]);
  });
});

describe('rows that are too long', () => {
  it('lose the end of the response, EOS first, and keep the prompt', () => {
    expect(tokenize(pair('ab', 'cde'), { maxLength: 7 }).cut).toBe(0);
    const one = tokenize(pair('ab', 'cde'), { maxLength: 6 });
    expect(one.cut).toBe(1);
    expect(one.shown).toEqual(['<bos>', 'a', 'b', '“c”', '“d”', '“e”']);
    const most = tokenize(pair('ab', 'cde'), { maxLength: 4 });
    expect(most.cut).toBe(3);
    expect(most.shown).toEqual(['<bos>', 'a', 'b', '“c”']);
  });

  it('are refused when no trained token is left', () => {
    expect(() => tokenize(pair('ab', 'cde'), { maxLength: 3 })).toThrow(
      expect.objectContaining({
        code: 'RESPONSE_CUT_AWAY',
        message: expect.stringContaining('prompt takes 3 tokens and a row holds 3') as string,
      }) as Error,
    );
  });

  it('and rows without response tokens are refused, not trained on as nothing', () => {
    expect(() => tokenize(pair('ab', ''))).toThrow(
      expect.objectContaining({ code: 'EMPTY_RESPONSE' }) as Error,
    );
  });
});

const model = '../shared/data/models/stories15M';
describe.skipIf(!existsSync(model))(
  'the tokenizer of a real model (../shared/data/models/stories15M)',
  () => {
    // The body of a skipped suite runs all the same.
    let tokenizer: Tokenizer;
    beforeAll(() => {
      tokenizer = loadTokenizer(model);
    });
    const tokensOf = (example: Example): string[] => {
      const { row } = tokenizeExample(example, { tokenizer, bos: 1, eos: 2, maxLength: 256 });
      return [...row.ids].map((id, i) => {
        const text = tokenizer.tokenText(id);
        return row.supervised[i] === 1 ? `“${text}”` : text;
      });
    };

    it('marks the response and the EOS, and puts no space before the response', () => {
      expect(tokensOf(pair('name[Wildwood]\n', 'Wildwood is a shop.'))).toEqual([
        ...['<s>', ' name', '[', 'W', 'ild', 'wood', ']', '\n'],
        ...['“W”', '“ild”', '“wood”', '“ is”', '“ a”', '“ shop”', '“.”', '“</s>”'],
      ]);
    });

    it('gives the prompt the ids it has alone', () => {
      const { row } = tokenizeExample(pair('to be or not to b', 'e happy'), {
        ...{ tokenizer, bos: 1, eos: 2, maxLength: 256 },
      });
      const prompt = tokenizer.encode('to be or not to b');
      expect([...row.ids].slice(0, prompt.length + 1)).toEqual([1, ...prompt]);
      expect(row.supervised.indexOf(1)).toBe(prompt.length + 1);
    });

    it('takes special tokens written by a user for text', () => {
      const { row } = tokenizeExample(pair('</s>', '</s>'), {
        ...{ tokenizer, bos: 1, eos: 2, maxLength: 256 },
      });
      expect([...row.ids].filter((id) => id === 2)).toHaveLength(1);
    });
  },
);

describe('row store', () => {
  it('gives back what was put in, over several growths of its arrays', () => {
    const rows = Array.from({ length: 300 }, (_, i) =>
      contextFreeRow(Array.from({ length: i }, (__, k) => i * k)),
    );
    const builder = createRowStoreBuilder();
    rows.forEach((row, i) => builder.push(row, { file: i % 2, line: i + 1 }));
    const store = builder.finish();
    expect(store.count).toBe(300);
    expect(store.tokens).toBe((299 * 300) / 2);
    expect(store.supervisedTokens).toBe((299 * 300) / 2 - 299);
    expect(store.longest).toBe(299);
    rows.forEach((row, i) => {
      expect(store.row(i)).toEqual(row);
      expect(store.origin(i)).toEqual({ file: i % 2, line: i + 1 });
    });
    expect(() => store.row(300)).toThrow('no row 300');
    expect(storeRows(rows).origin(3)).toBeUndefined();
  });
});
