import { describe, expect, it } from 'vitest';
import { continuationTokens, rollingRows, scoringRow } from '../../../src/evaluator/requests.js';
import { pieceTokenizer, thrownBy } from './fakes.js';

const bos = 0;
const pieces = ['<s>', 'a', 'b', ' ', ' b', 'ab', '\n', 'c'];
const tokenizer = pieceTokenizer(pieces);
const ids = (...texts: string[]): number[] => texts.map((text) => pieces.indexOf(text));

describe('continuationTokens', () => {
  it('cuts the whole encoding behind the context', () => {
    expect(continuationTokens(tokenizer, 'c', ' b', bos)).toEqual({
      context: ids('c'),
      continuation: ids(' b'),
    });
  });

  it('moves trailing spaces of the context to the continuation', () => {
    const moved = continuationTokens(tokenizer, 'c ', 'b', bos);
    expect(moved).toEqual(continuationTokens(tokenizer, 'c', ' b', bos));
    expect(moved.continuation).toEqual(ids(' b'));
  });

  it('counts line ends as trailing spaces, as Python does', () => {
    expect(continuationTokens(tokenizer, 'c\n', 'b', bos)).toEqual({
      context: ids('c'),
      continuation: ids('\n', 'b'),
    });
  });

  it('keeps the length rule where a token crosses the boundary', () => {
    // 'a' + 'bc' is encoded as 'ab', 'c': one token of the whole stands for the context.
    expect(continuationTokens(tokenizer, 'a', 'bc', bos)).toEqual({
      context: ids('a'),
      continuation: ids('c'),
    });
  });

  it('puts the prefix token in the place of an empty context', () => {
    expect(continuationTokens(tokenizer, '', ' b', bos)).toEqual({
      context: [bos],
      continuation: ids(' b'),
    });
    expect(continuationTokens(tokenizer, '  ', 'b', bos)).toEqual({
      context: [bos],
      continuation: ids(' ', ' b'),
    });
  });

  it('does not double a prefix token that the continuation brings', () => {
    expect(continuationTokens(tokenizer, '', '<s>c', bos)).toEqual({
      context: [bos],
      continuation: ids('c'),
    });
  });

  it('puts BOS before a context for tokenizers that do so themselves', () => {
    expect(continuationTokens(tokenizer, 'c', ' b', bos, true).context).toEqual([bos, ...ids('c')]);
    expect(continuationTokens(tokenizer, '', 'b', bos, true).context).toEqual([bos]);
  });
});

describe('scoringRow', () => {
  const pair = { context: [1, 2, 3, 4], continuation: [5, 6] };

  it('supervises the continuation only', () => {
    const row = scoringRow(pair, 10);
    expect([...row.ids]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...row.supervised]).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('keeps the last maxLength + 1 tokens', () => {
    const row = scoringRow(pair, 3);
    expect([...row.ids]).toEqual([3, 4, 5, 6]);
    expect([...row.supervised]).toEqual([0, 0, 1, 1]);
  });

  it('still has one token to score from when the continuation fills the context', () => {
    expect([...scoringRow(pair, 2).ids]).toEqual([4, 5, 6]);
    expect([...scoringRow(pair, 2).supervised]).toEqual([0, 1, 1]);
  });

  it('refuses a continuation that is longer than the context', () => {
    expect(thrownBy(() => scoringRow(pair, 1))).toMatchObject({ code: 'CONTINUATION_TOO_LONG' });
  });
});

describe('rollingRows', () => {
  const rowsOf = (tokens: number[], maxLength: number): [number[], number[]][] =>
    rollingRows(tokens, bos, maxLength).map((row) => [[...row.ids], [...row.supervised]]);

  it('begins with the prefix token and scores every token once', () => {
    expect(rowsOf([1, 2, 3], 4)).toEqual([
      [
        [0, 1, 2, 3],
        [0, 1, 1, 1],
      ],
    ]);
  });

  it('gives later windows as much context as fits', () => {
    // The windows of lm-evaluation-harness' own example: max_seq_len 4, context_len 1, 10 tokens.
    expect(rowsOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 4)).toEqual([
      [
        [0, 1, 2, 3, 4],
        [0, 1, 1, 1, 1],
      ],
      [
        [4, 5, 6, 7, 8],
        [0, 1, 1, 1, 1],
      ],
      [
        [6, 7, 8, 9, 10],
        [0, 0, 0, 1, 1],
      ],
    ]);
  });

  it('has nothing to say about an empty text', () => {
    expect(rowsOf([], 4)).toEqual([]);
  });
});
