/**
 * Causal self-attention with grouped heads over packed lines: a composition of operators that
 * each carry their gradient.
 */
import type { Dim } from '../dims.js';
import { elementsOf, type FloatType, type TensorData } from '../elements.js';
import type { Graph, Value } from '../graph.js';
import { add } from './arithmetic.js';
import { matmul } from './matmul.js';
import { reshape, reshapeRaw, transpose } from './shape.js';
import { softmax } from './softmax.js';
import { softcap } from './unary.js';

export interface AttentionShape {
  /** Lines in the batch; may be symbolic. */
  batch: Dim;
  time: number;
  heads: number;
  /** Key/value heads; a divisor of `heads`. */
  kvHeads: number;
  headDim: number;
}

/** What may differ from layer to layer. */
export interface AttentionOptions {
  /** Factor on q kᵀ. */
  scale: number;
  /** Bound of the scores before the mask, for `softcap`. */
  softcap?: number | undefined;
}

/**
 * softmax(softcap(`scale` · q kᵀ) + bias) v.
 * `q` `[batch·time, heads·headDim]`, `k` and `v` `[batch·time, kvHeads·headDim]`,
 * `bias` `[batch, 1, time, time]` → `[batch·time, heads·headDim]`.
 */
export function attention(
  g: Graph,
  q: Value,
  k: Value,
  v: Value,
  bias: Value,
  { batch, time, heads, kvHeads, headDim }: AttentionShape,
  options: AttentionOptions,
): Value {
  const group = heads / kvHeads;
  // Query heads that share a key head stand below each other, so neither k nor v is repeated.
  const queries = reshape(
    g,
    transpose(g, reshape(g, q, [batch, time, kvHeads, group, headDim]), [0, 2, 3, 1, 4]),
    [batch, kvHeads, group * time, headDim],
  );
  const keys = toHeads(g, k, [batch, time, kvHeads, headDim]);
  const values = toHeads(g, v, [batch, time, kvHeads, headDim]);

  const scores = matmul(g, queries, keys, { transB: true, alpha: options.scale });
  const shaped = reshape(g, scores, [batch, heads, time, time]);
  const { softcap: cap } = options;
  const bounded = cap === undefined ? shaped : softcap(g, shaped, cap);
  const weights = softmax(g, add(g, bounded, bias));
  const mixed = matmul(g, reshape(g, weights, [batch, kvHeads, group * time, time]), values);

  const apart = reshape(g, mixed, [batch, kvHeads, group, time, headDim]);
  return reshape(g, transpose(g, apart, [0, 3, 1, 2, 4]), q.shape);
}

/**
 * The additive attention mask `[batch, 1, time, time]` for scores of `type`: 0 where a query may
 * look, `hiddenScore` elsewhere. A token sees itself and what precedes it within its own segment, at
 * most `window` tokens including itself. `segments` is float32 `[batch, time]`.
 */
export function attentionBias(
  g: Graph,
  segments: Value,
  batch: Dim,
  time: number,
  window = Infinity,
  type: FloatType = 'float32',
): Value {
  const rows = reshapeRaw(g, segments, [batch, 1, time, 1]);
  const columns = reshapeRaw(g, segments, [batch, 1, 1, time]);
  const shape = [batch, 1, time, time];
  const together = g.emit('Equal', [rows, columns], shape, { type: 'bool' });
  const mask = g.constant(`causal ${time} ${window} ${type}`, [1, 1, time, time], type, () =>
    causalMask(time, window, type),
  );
  return g.emit('Where', [together, mask, g.scalar(hiddenScore(type), mask)], shape, { type });
}

/**
 * What is added to the score of a key that a query must not see: far below any score, and finite, so
 * that padding can never make a NaN. In float16, whose largest number is 65504, half of the range is
 * left to the score itself.
 */
export function hiddenScore(type: FloatType): number {
  return type === 'float16' ? -32752 : -1e9;
}

function causalMask(time: number, window: number, type: FloatType): TensorData {
  const hidden = hiddenScore(type);
  const mask = Array.from({ length: time * time }, (_, at) => {
    const [query, key] = [Math.floor(at / time), at % time];
    return key > query || query - key >= window ? hidden : 0;
  });
  return elementsOf(mask, type);
}

function toHeads(g: Graph, x: Value, shape: Dim[]): Value {
  return transpose(g, reshape(g, x, shape), [0, 2, 1, 3]);
}
