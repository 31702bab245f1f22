/**
 * The record of one context-free sample: what the generator yields, what `samples.jsonl` stores and
 * what the diagnostics read. `protocol/records.ts` describes the same shape for the other side of
 * the wire; the two are kept structurally equal because this room may not import the protocol.
 */

/** Why a sample ended: the model wrote an end token, or the maximum length was reached. */
export type StopReason = 'eos' | 'length';

export interface Sample {
  /** Number of the sample in its set, from 0. With the seed it decides every token. */
  index: number;
  /** The start token it was prompted with; not part of `tokens`. */
  bosId: number;
  /** Generated ids; the end token, where one was drawn, is the last of them. */
  tokens: number[];
  /** The decoded text, special tokens left out. */
  text: string;
  /** The text of each token by itself, for showing them one by one. One per token. */
  pieces: string[];
  /** log p(token | what came before) in nats, under the full distribution at T = 1. One per token. */
  logprobs: number[];
  /** Mean entropy, in nats, of the full next-token distributions (T = 1) the tokens came from. */
  entropy: number;
  stop: StopReason;
}
