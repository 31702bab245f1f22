/**
 * What a dataset row becomes before it is tokenized: stretches of text, each either shown to the
 * model or trained on. Every shape of row ends up as this one.
 */

export interface Segment {
  text: string;
  /** Whether the loss is taken on this stretch's tokens. */
  supervised: boolean;
}

export interface Example {
  segments: Segment[];
  /** The text was written by a chat template: special tokens in it are tokens, BOS maybe included. */
  chat: boolean;
  /** Whether an EOS token has to be added (a chat template mostly ends its turns by itself). */
  addEos: boolean;
}
