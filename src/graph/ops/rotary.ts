/** Rotary position embedding (Su et al. 2021) in the half-split form of Hugging Face models. */
import { numeric } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { castRaw } from './cast.js';

/** Angles for every position: `cos` and `sin`, both `[positions, rotated/2]`. */
export interface RotaryTables {
  cos: Value;
  sin: Value;
  /** How many of a head's leading elements are rotated; the rest pass through. */
  rotated: number;
}

/**
 * Tables for positions 0 … `length` − 1, computed in double precision. The same settings give the
 * same tables of a graph; different ones may stand side by side.
 */
export function rotaryTables(
  g: Graph,
  inverseFrequencies: readonly number[],
  length: number,
): RotaryTables {
  const half = inverseFrequencies.length;
  const key = `${length} ${inverseFrequencies.join()}`;
  const table = (name: string, wave: (angle: number) => number): Value =>
    g.constant(`${name} ${key}`, [length, half], 'float32', () => {
      const values = new Float32Array(length * half);
      for (let position = 0; position < length; position++) {
        inverseFrequencies.forEach((frequency, i) => {
          values[position * half + i] = wave(position * frequency);
        });
      }
      return values;
    });
  return { cos: table('cos', Math.cos), sin: table('sin', Math.sin), rotated: 2 * half };
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
    g.emit(
      'RotaryEmbedding',
      [value, positions, castRaw(g, tables.cos, x.type), sin],
      value.shape,
      {
        domain: 'com.microsoft',
        attributes: {
          interleaved: 0,
          num_heads: heads,
          rotary_embedding_dim: tables.rotated === headDim ? 0 : tables.rotated,
        },
      },
    );
  const sin = castRaw(g, tables.sin, x.type);
  return g.record({
    operator: 'RotaryEmbedding',
    inputs: [x],
    outputs: [rotate(x, sin)],
    gradient: ([dy]) => [dy && rotate(dy, g.emit('Neg', [sin], sin.shape))],
  });
}
