/**
 * A tokenizer as the rest of the program sees it. `loadTokenizer` (added by the tokenizer's own
 * reader below) makes one from a Hugging Face folder.
 */

export interface Tokenizer {
  /** Number of ids, added tokens included. */
  vocabSize: number;
  /** Text → ids, with no special tokens added; special tokens written in the text are not parsed away. */
  encode(text: string): number[];
  /** Ids → text; special tokens are left out unless `keepSpecial`. */
  decode(ids: readonly number[], options?: { keepSpecial?: boolean }): string;
  /** The text of one id as it stands in a sequence, for showing tokens one by one. */
  tokenText(id: number): string;
  /** The id of a token's exact text, if it has one. */
  idOf(token: string): number | undefined;
  /** The jinja chat template, if the folder has one. */
  chatTemplate: string | undefined;
}
