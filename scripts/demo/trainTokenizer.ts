/**
 * A small byte-level BPE trainer, so that the demo's tokenizer is made here from the demo's corpus
 * like everything else in it. The result is an ordinary Hugging Face `tokenizer.json`.
 *
 * The text is cut by `SPLIT_PATTERN` (every digit alone, a word with its leading space, punctuation,
 * white space); merges never cross a cut. Each round merges the most frequent adjacent pair; among
 * equally frequent ones the pair with the lower left id, then the lower right id, so the result does
 * not depend on the order in which pairs are met. Ids: special tokens, 256 bytes, merges in order.
 *
 * Method: Sennrich, Haddow & Birch 2016; byte alphabet of GPT-2 (Radford et al. 2019).
 */
import { assert, defined } from '../../src/errors.js';

export const BOS = '<|begin|>';
export const EOS = '<|end|>';
const SPECIAL_TOKENS = [BOS, EOS];

const SPLIT_PATTERN = '\\p{N}| ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+';

export interface TokenizerFiles {
  /** `tokenizer.json` */
  tokenizer: object;
  /** `tokenizer_config.json` */
  config: object;
}

/** A piece of text as token ids, and how often it occurs. */
interface Piece {
  ids: number[];
  count: number;
}

/**
 * Trains a vocabulary of `vocabSize` ids on `texts`; throws an internal error when the texts have
 * too few different pieces for that many.
 */
export function trainTokenizer(
  texts: Iterable<string>,
  vocabSize: number,
  maxLength: number,
): TokenizerFiles {
  const tokens = [...SPECIAL_TOKENS, ...byteAlphabet()];
  const pieces = countPieces(texts, new Map(tokens.map((token, id) => [token, id])));
  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const [left, right] = mostFrequentPair(pieces, vocabSize);
    const leftText = defined(tokens[left], 'left token');
    const rightText = defined(tokens[right], 'right token');
    for (const piece of pieces) piece.ids = merge(piece.ids, left, right, tokens.length);
    merges.push([leftText, rightText]);
    tokens.push(leftText + rightText);
  }
  return { tokenizer: tokenizerJson(tokens, merges), config: tokenizerConfig(maxLength) };
}

/** The printable character that stands for each byte, in byte order. */
export function byteAlphabet(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : next++),
  );
}

function countPieces(texts: Iterable<string>, idOf: ReadonlyMap<string, number>): Piece[] {
  const pattern = new RegExp(SPLIT_PATTERN, 'gu');
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [piece] of text.matchAll(pattern)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const alphabet = byteAlphabet();
  const encoder = new TextEncoder();
  return [...counts].map(([piece, count]) => ({
    ids: [...encoder.encode(piece)].map((byte) =>
      defined(idOf.get(defined(alphabet[byte], 'byte')), 'id of a byte'),
    ),
    count,
  }));
}

function mostFrequentPair(pieces: readonly Piece[], vocabSize: number): [number, number] {
  const counts = new Map<number, number>();
  for (const { ids, count } of pieces) {
    for (let i = 1; i < ids.length; i++) {
      const pair = (ids[i - 1] as number) * vocabSize + (ids[i] as number);
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best = -1;
  let bestCount = 0;
  for (const [pair, count] of counts) {
    // Comparing the packed number compares left ids first, then right ids.
    if (count < bestCount || (count === bestCount && pair > best)) continue;
    best = pair;
    bestCount = count;
  }
  assert(best >= 0, `the texts are too few for a vocabulary of ${vocabSize}`);
  return [Math.floor(best / vocabSize), best % vocabSize];
}

function merge(ids: readonly number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    const pairHere = ids[i] === left && ids[i + 1] === right;
    result.push(pairHere ? merged : (ids[i] as number));
    if (pairHere) i++;
  }
  return result;
}

function tokenizerJson(tokens: readonly string[], merges: [string, string][]): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: SPLIT_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: BOS, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: BOS, type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: BOS, type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: {
        [BOS]: { id: BOS, ids: [SPECIAL_TOKENS.indexOf(BOS)], tokens: [BOS] },
      },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

function tokenizerConfig(maxLength: number): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: BOS,
    eos_token: EOS,
    add_bos_token: true,
    add_eos_token: false,
    clean_up_tokenization_spaces: false,
    model_max_length: maxLength,
  };
}
