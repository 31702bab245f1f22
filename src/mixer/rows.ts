/**
 * From examples to token rows: which ids, which of them are trained on, and what happens to rows
 * that are too long. The rules, as the documentation states them:
 *
 * - A row is `[BOS if the model has one] prompt response EOS`; the response and the EOS are trained
 *   on. Plain text is `[BOS] text EOS` with everything trained on but the first token.
 * - The prompt's ids are always exactly `encode(prompt)`, which is what the model will be given
 *   when it is used. If `encode(prompt + response)` begins with them, the rest is the response (so
 *   words and spaces are cut as in running text); otherwise a token would lie across the border, and
 *   the response is encoded by itself.
 * - A row longer than `maxLength` loses its end, EOS included, so that the model is not taught to
 *   stop in the middle. The prompt is never shortened. If no trained token would be left, the row
 *   is refused.
 */
import { CfsError } from '../errors.js';
import type { TokenRow } from '../model/batch.js';
import type { Tokenizer } from '../model/tokenizer.js';
import type { Example } from './example.js';

/** What tokenizing rows needs of a tokenizer. */
export type RowTokenizer = Pick<Tokenizer, 'encode' | 'encodeWithSpecials'>;

export interface TokenizeOptions {
  tokenizer: RowTokenizer;
  /** Put before every row; undefined for a model that begins its texts without one. */
  bos: number | undefined;
  eos: number;
  /** Longest row, in tokens, all included. */
  maxLength: number;
}

export interface TokenizedRow {
  row: TokenRow;
  /** Tokens that did not fit, 0 for most rows. */
  cut: number;
}

/** Throws `RESPONSE_CUT_AWAY` when no token to train on fits, `EMPTY_RESPONSE` when there is none. */
export function tokenizeExample(example: Example, options: TokenizeOptions): TokenizedRow {
  const ids: number[] = [];
  const supervised: number[] = [];
  const append = (tokens: readonly number[], train: boolean): void => {
    for (const token of tokens) {
      ids.push(token);
      // The first token of a row has nothing before it to be predicted from.
      supervised.push(train && ids.length > 1 ? 1 : 0);
    }
  };
  const { bos, eos, maxLength } = options;
  const parts = encodeSegments(example, options);
  // A chat template mostly writes the BOS token itself.
  const hasBos = example.chat && parts.find((part) => part.length > 0)?.[0] === bos;
  if (bos !== undefined && !hasBos) append([bos], false);
  example.segments.forEach(({ supervised: train }, i) => append(parts[i] ?? [], train));
  if (!supervised.includes(1)) throw nothingToTrainOn();
  if (example.addEos) append([eos], true);

  const kept = supervised.slice(0, maxLength);
  if (!kept.includes(1)) throw cutAway(supervised.indexOf(1), maxLength);
  return {
    row: { ids: Int32Array.from(ids.slice(0, maxLength)), supervised: Uint8Array.from(kept) },
    cut: ids.length - kept.length,
  };
}

/** The row of a context-free sample: every token after the first (the BOS) is trained on. */
export function contextFreeRow(ids: ArrayLike<number>): TokenRow {
  return {
    ids: Int32Array.from(ids),
    supervised: Uint8Array.from({ length: ids.length }, (_, i) => (i === 0 ? 0 : 1)),
  };
}

/** The ids of each segment, in the context of those before it where the border is clean. */
function encodeSegments({ segments, chat }: Example, { tokenizer }: TokenizeOptions): number[][] {
  const encode = (text: string): number[] =>
    chat ? tokenizer.encodeWithSpecials(text) : tokenizer.encode(text);
  let text = '';
  let known: number[] = [];
  return segments.map((segment) => {
    if (segment.text === '') return [];
    const joined = encode(text + segment.text);
    if (known.every((id, i) => joined[i] === id)) {
      const added = joined.slice(known.length);
      text += segment.text;
      known = joined;
      return added;
    }
    text = segment.text;
    known = encode(segment.text);
    return known;
  });
}

function nothingToTrainOn(): CfsError {
  return new CfsError({
    code: 'EMPTY_RESPONSE',
    message: 'The response has no tokens to train on.',
    remedy: 'Fill in the response, or delete the row.',
  });
}

function cutAway(promptLength: number, maxLength: number): CfsError {
  return new CfsError({
    code: 'RESPONSE_CUT_AWAY',
    message:
      `The prompt takes ${promptLength} tokens and a row holds ${maxLength}, ` +
      'so there is no room for the response; the row is left out.',
    remedy: 'Raise the maximum length, or shorten the prompt.',
  });
}
