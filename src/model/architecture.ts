/**
 * What a model family has to say about itself: one file per family in `architectures/` turns a
 * `config.json` into an `Architecture`. How the blocks attend (over a whole line when training and
 * scoring, over a cache when decoding) is the caller's business and comes in as `attend`.
 */
import { CfsError } from '../errors.js';
import type { Graph, Lookup, Value } from '../graph/index.js';
import { llama } from './architectures/llama.js';

export interface Parameter {
  /** Its name in a Hugging Face checkpoint. */
  name: string;
  shape: number[];
  /** Whether weight decay usually spares it (norms and biases). */
  vector: boolean;
}

/** The graph value of a parameter, by its name. */
export type Parameters = (name: string) => Value;

/**
 * Attention of one layer: `q` `[tokens, heads·headDim]`, `k` and `v` `[tokens, kvHeads·headDim]`, not
 * yet rotated → `[tokens, heads·headDim]`.
 */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

export interface Architecture {
  family: string;
  vocabSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Longest sequence the model was made for, in tokens. */
  contextLength: number;
  /** Factor on q·k before the softmax. */
  attentionScale: number;
  /** Tokens a query of this layer sees, itself included; `Infinity` for all before it. */
  window(layer: number): number;
  /** θ of every rotated pair of a head's elements; empty without rotary embedding. */
  inverseFrequencies: readonly number[];
  parameters: Parameter[];
  /** Token embeddings `[tokens, hidden]`. */
  embed(g: Graph, p: Parameters, tokens: Lookup): Value;
  /** One transformer block, residuals included: `[tokens, hidden]` → the same. */
  block(g: Graph, p: Parameters, layer: number, x: Value, attend: Attend): Value;
  /** The final norm, `[tokens, hidden]` → the same. */
  finish(g: Graph, p: Parameters, x: Value): Value;
  /** The output layer's weight, `[vocab, hidden]`: the embedding itself where they are tied. */
  outputWeight: string;
}

const families: Record<string, (config: Record<string, unknown>, file: string) => Architecture> = {
  llama,
};

/** The architecture that a parsed `config.json` describes. Throws `MODEL_UNSUPPORTED`. */
export function architectureOf(config: Record<string, unknown>, file: string): Architecture {
  const family = String(config.model_type);
  const make = families[family];
  if (!make) {
    throw new CfsError({
      code: 'MODEL_UNSUPPORTED',
      message: `Models of type “${family}” are not supported yet.`,
      remedy: `Choose a model of one of these types: ${Object.keys(families).join(', ')}.`,
      place: { file, field: 'model_type' },
    });
  }
  return make(config, file);
}
