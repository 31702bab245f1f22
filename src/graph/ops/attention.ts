/**
 * Causal self-attention with grouped heads over packed lines: a composition of operators that
 * each carry their gradient.
 */
import type { Dim } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { add } from './arithmetic.js';
import { matmul } from './matmul.js';
import { reshape, reshapeRaw, transpose } from './shape.js';
import { softmax } from './softmax.js';

export interface AttentionShape {
  /** Lines in the batch; may be symbolic. */
  batch: Dim;
  time: number;
  heads: number;
  /** Key/value heads; a divisor of `heads`. */
  kvHeads: number;
  headDim: number;
}

/**
 * softmax(`factor` · q kᵀ + bias) v.
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
  factor: number,
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

  const scores = matmul(g, queries, keys, { transB: true, alpha: factor });
  const shaped = reshape(g, scores, [batch, heads, time, time]);
  const weights = softmax(g, add(g, shaped, bias));
  const mixed = matmul(g, reshape(g, weights, [batch, kvHeads, group * time, time]), values);

  const apart = reshape(g, mixed, [batch, kvHeads, group, time, headDim]);
  return reshape(g, transpose(g, apart, [0, 3, 1, 2, 4]), q.shape);
}

/**
 * The additive attention mask `[batch, 1, time, time]`: 0 where a query may look, very negative
 * elsewhere. A token sees itself and what precedes it within its own segment, at most `window`
 * tokens including itself. `segments` is float32 `[batch, time]`; finite everywhere, so padding can
 * never make a NaN.
 */
export function attentionBias(
  g: Graph,
  segments: Value,
  batch: Dim,
  time: number,
  window = Infinity,
): Value {
  const causal = new Float32Array(time * time);
  for (let query = 0; query < time; query++) {
    for (let key = 0; key < time; key++) {
      if (key > query || query - key >= window) causal[query * time + key] = hidden;
    }
  }
  const rows = reshapeRaw(g, segments, [batch, 1, time, 1]);
  const columns = reshapeRaw(g, segments, [batch, 1, 1, time]);
  const apart = g.emit('Sub', [rows, columns], [batch, 1, time, time]);
  const squared = g.emit('Mul', [apart, apart], apart.shape);
  const penalty = g.emit('Mul', [squared, g.float(hidden)], apart.shape);
  const mask = g.initializer(`causal_${time}_${window}`, causal, [1, 1, time, time]);
  return g.emit('Add', [penalty, mask], apart.shape);
}

/** Far below any score, and still finite when several masks add up. */
const hidden = -1e9;

function toHeads(g: Graph, x: Value, shape: Dim[]): Value {
  return transpose(g, reshape(g, x, shape), [0, 2, 1, 3]);
}
