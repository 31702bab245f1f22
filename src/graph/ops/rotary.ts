/** Rotary position embedding (Su et al. 2021) in the half-split form of Hugging Face models. */
import { numeric } from '../dims.js';
import type { Graph, Value } from '../graph.js';

/** Angles for every position: `cos` and `sin`, both `[positions, rotated/2]`. */
export interface RotaryTables {
  cos: Value;
  sin: Value;
  /** How many of a head's leading elements are rotated; the rest pass through. */
  rotated: number;
}

/** Tables for positions 0 … `length` − 1, computed in double precision. */
export function rotaryTables(
  g: Graph,
  inverseFrequencies: readonly number[],
  length: number,
): RotaryTables {
  const half = inverseFrequencies.length;
  const cos = new Float32Array(length * half);
  const sin = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    inverseFrequencies.forEach((frequency, i) => {
      cos[position * half + i] = Math.cos(position * frequency);
      sin[position * half + i] = Math.sin(position * frequency);
    });
  }
  return {
    cos: g.initializer('rotary_cos', cos, [length, half]),
    sin: g.initializer('rotary_sin', sin, [length, half]),
    rotated: 2 * half,
  };
}

/**
 * Rotates `x` `[batch, time, heads · headDim]` by the angles of `positions` `[batch, time]` (int64).
 * The gradient is the rotation by the opposite angles.
 */
export function rotary(
  g: Graph,
  x: Value,
  positions: Value,
  tables: RotaryTables,
  heads: number,
): Value {
  const headDim = numeric(x.shape.at(-1)) / heads;
  const rotate = (value: Value, sin: Value): Value =>
    g.emit('RotaryEmbedding', [value, positions, tables.cos, sin], value.shape, {
      domain: 'com.microsoft',
      attributes: {
        interleaved: 0,
        num_heads: heads,
        rotary_embedding_dim: tables.rotated === headDim ? 0 : tables.rotated,
      },
    });
  return g.record({
    operator: 'RotaryEmbedding',
    inputs: [x],
    outputs: [rotate(x, tables.sin)],
    gradient: ([dy]) => [dy && rotate(dy, g.emit('Neg', [tables.sin], tables.sin.shape))],
  });
}
