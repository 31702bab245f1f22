/** A tokenizer for models with random weights, whose tokens have no text. */
import type { Tokenizer } from '../../src/model/tokenizer.js';

export const numbersAsText: Tokenizer = {
  vocabSize: 0,
  encode: () => [],
  encodeWithSpecials: () => [],
  decode: (ids) => ids.join(' '),
  tokenText: String,
  idOf: () => undefined,
  chatTemplate: undefined,
};
