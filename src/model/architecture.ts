/**
 * What a model family says about itself: one short file per family in `families/` turns a
 * `config.json` into an `Architecture`. Weights are asked for by name (`weights.ts`), so a family
 * does not know what provides them; how its blocks attend (over a whole line when training and
 * scoring, over a cache when decoding) is the caller's business and comes in as `attend`.
 */
import type { Graph, Lookup, Value } from '../graph/index.js';
import type { Parameter, Weights } from './weights.js';

/** Rotary position embedding of one kind of layer. Layers that share it share the object. */
export interface Rope {
  /** θ of every rotated pair of a head's leading elements; the elements after them pass through. */
  inverseFrequencies: readonly number[];
}

/** How one layer attends. */
export interface AttentionRule {
  /** Tokens a query sees, itself included; `Infinity` for all before it. */
  window: number;
  /** Factor on q·k before the softmax. */
  scale: number;
  /** Scores are cap·tanh(score/cap). */
  softcap?: number;
  /** Left out where positions enter elsewhere, or nowhere. */
  rope?: Rope;
}

/**
 * Attention of one layer: `q` `[tokens, heads·headDim]`, `k` and `v` `[tokens, kvHeads·headDim]`, not
 * yet rotated → `[tokens, heads·headDim]`.
 */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

/** What the first layer is made from. */
export interface TokensAndPositions {
  tokens: Lookup;
  /** The position of each token in its row, for learned position embeddings. */
  positions: () => Lookup;
}

/** The output layer: logits = softcap(scale · hidden · weightᵀ). */
export interface OutputLayer {
  /** After the final norm. `[tokens, hidden]` */
  hidden: Value;
  /** `[vocab, hidden]`: the embedding itself where they are tied. */
  weight: Value;
  /** Factor on hidden · weightᵀ; 1 when left out. */
  scale?: number;
  /** Logits are cap·tanh(logit/cap). */
  softcap?: number;
}

/** What a family's file gives. */
export interface Family {
  /** Its `model_type`. */
  family: string;
  /** Rows of the embedding and of the output layer. */
  vocabSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Longest sequence the model was made for, in tokens. */
  contextLength: number;
  attention(layer: number): AttentionRule;
  /** Embeddings `[tokens, hidden]`. */
  embed(g: Graph, w: Weights, at: TokensAndPositions): Value;
  /** One transformer block, residuals included: `[tokens, hidden]` → the same. */
  block(g: Graph, w: Weights, layer: number, x: Value, attend: Attend): Value;
  /** The final norm and the output layer, from `[tokens, hidden]`. */
  head(g: Graph, w: Weights, x: Value): OutputLayer;
  /** Names under which a folder may store a parameter a second time, as tied heads are. */
  aliases: Readonly<Record<string, string>>;
}

/** A family and the list of its parameters: a model, but for its numbers. */
export interface Architecture extends Family {
  /** Everything that the family asks for, in that order. */
  parameters: readonly Parameter[];
}

/** What no size of a model can go beyond. */
export interface WeightsExtent {
  tensors: number;
  /** The largest number in the shapes of all tensors. */
  largestSize: number;
}

/** What a family's factory is told of a model folder. */
export interface FamilySource {
  /** `config.json`, parsed. */
  config: Record<string, unknown>;
  /** Its path, for errors. */
  file: string;
  /** Whether the weights hold a tensor of this name. */
  hasTensor(name: string): boolean;
  /** How much the weights hold; undefined for a config of ours, without any. */
  extent?: WeightsExtent;
}
