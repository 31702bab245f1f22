/** Softmax over the last axis. */
import type { Graph, Value } from '../graph.js';

/** softmax(x); dx = y·(dy − Σ dy·y). */
export function softmax(g: Graph, x: Value): Value {
  const y = g.emit('Softmax', [x], x.shape, { attributes: { axis: -1 } });
  return g.record({
    operator: 'Softmax',
    inputs: [x],
    outputs: [y],
    gradient: ([dy]) => {
      if (!dy) return [];
      const product = g.emit('Mul', [dy, y], y.shape);
      const total = g.emit('ReduceSum', [product, g.ints([-1])], [...y.shape.slice(0, -1), 1], {
        attributes: { keepdims: 1 },
      });
      return [g.emit('Mul', [g.emit('Sub', [dy, total], y.shape), y], y.shape)];
    },
  });
}
