/** The activations of feed-forward blocks: SiLU and both kinds of GELU. */
import type { Graph, Value } from '../graph.js';
import { mul, scale, shift } from './arithmetic.js';
import { erf, tanh } from './unary.js';

/** x·σ(x); its derivative is σ(x) + y·(1 − σ(x)) with y = x·σ(x). */
export function silu(g: Graph, x: Value): Value {
  const s = g.emit('Sigmoid', [x], x.shape);
  const y = g.emit('Mul', [x, s], x.shape);
  return g.record({
    operator: 'SiLU',
    inputs: [x],
    outputs: [y],
    gradient: ([dy]) => {
      if (!dy) return [];
      // σ + y − yσ = y + σ(1 − y)
      const rest = g.emit('Mul', [s, g.emit('Sub', [g.scalar(1, y), y], y.shape)], y.shape);
      return [g.emit('Mul', [dy, g.emit('Add', [y, rest], y.shape)], y.shape)];
    },
  });
}

/** ½x(1 + erf(x/√2)): the exact GELU. */
export function geluErf(g: Graph, x: Value): Value {
  const gate = shift(g, erf(g, scale(g, x, Math.SQRT1_2)), 1);
  return mul(g, scale(g, x, 0.5), gate);
}

/** ½x(1 + tanh(√(2/π)(x + 0.044715x³))): the tanh approximation (`gelu_new`, `gelu_pytorch_tanh`). */
export function geluTanh(g: Graph, x: Value): Value {
  // √(2/π)(x + 0.044715x³) = x·√(2/π)·(1 + 0.044715x²)
  const inner = mul(
    g,
    scale(g, x, Math.sqrt(2 / Math.PI)),
    shift(g, scale(g, mul(g, x, x), 0.044715), 1),
  );
  return mul(g, scale(g, x, 0.5), shift(g, tanh(g, inner), 1));
}
