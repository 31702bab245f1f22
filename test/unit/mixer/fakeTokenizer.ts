/**
 * Tokenizers small enough to follow by hand. Both know `<bos>`, `<eos>` and `<|…|>` markers as special
 * tokens, and join pieces differently, so that borders between prompt and response matter.
 */
import type { RowTokenizer } from '../../../src/mixer/rows.js';

export interface FakeTokenizer extends RowTokenizer {
  text(id: number): string;
}

export const BOS = 0;
export const EOS = 1;

/** Splits by `pattern` (global); ids are given in order of appearance. */
function byPattern(pattern: RegExp): FakeTokenizer {
  const texts = ['<bos>', '<eos>'];
  const ids = new Map(texts.map((text, id) => [text, id]));
  const idOf = (piece: string): number => {
    const id = ids.get(piece) ?? texts.push(piece) - 1;
    ids.set(piece, id);
    return id;
  };
  const encode = (text: string): number[] => (text.match(pattern) ?? []).map(idOf);
  return {
    encode,
    encodeWithSpecials: (text) =>
      text
        .split(/(<bos>|<eos>|<\|\w+\|>)/)
        .flatMap((part, i) => (i % 2 === 1 ? [idOf(part)] : encode(part))),
    text: (id) => texts[id] ?? `<${id}>`,
  };
}

/** One token per character. */
export const characters = (): FakeTokenizer => byPattern(/[\s\S]/g);
/** A word with the space before it, as byte-level BPE cuts; letters join across a missing space. */
export const words = (): FakeTokenizer => byPattern(/ ?\w+|[^\w]/g);
