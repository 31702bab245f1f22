/** RMSNorm and LayerNorm over rows, with and without learned scale and shift. */
import { numeric, type Shape } from '../dims.js';
import { elementsOf } from '../elements.js';
import type { Graph, Value } from '../graph.js';
import { castRaw } from './cast.js';
import { gemm } from './matmul.js';
import { sumTo } from './reduce.js';
import { reshapeRaw } from './shape.js';

/** `w · x / √(mean(x²) + epsilon)` for `x` `[rows, n]`, `w` `[n]`. */
export function rmsNorm(g: Graph, x: Value, w: Value, epsilon: number): Value {
  const y = g.emit('SimplifiedLayerNormalization', [x, w], x.shape, {
    attributes: { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
  });
  return g.record({
    operator: 'RMSNorm',
    inputs: [x, w],
    outputs: [y],
    gradient: ([dy], wanted) => {
      if (!dy) return [];
      const inverse = inverseRms(g, x, epsilon);
      const unit = g.emit('Mul', [x, inverse], x.shape);
      const along = g.emit('Mul', [dy, unit], x.shape);
      // dx = r(dy·w − unit · mean(dy·w·unit))
      const projected = g.emit('Mul', [unit, meanWeighted(g, along, w)], x.shape);
      const inner = g.emit('Sub', [g.emit('Mul', [dy, w], x.shape), projected], x.shape);
      return [
        wanted[0] ? g.emit('Mul', [inner, inverse], x.shape) : undefined,
        wanted[1] ? sumTo(g, along, w.shape) : undefined,
      ];
    },
  });
}

/**
 * `w · (x − mean) / √(variance + epsilon) + b` for `x` `[rows, n]`, `w` and `b` `[n]`; both may be
 * left out (OLMo), or only `b`.
 */
export function layerNorm(
  g: Graph,
  x: Value,
  w: Value | undefined,
  b: Value | undefined,
  epsilon: number,
): Value {
  const n = numeric(x.shape[1]);
  const weight =
    w ??
    g.constant(`ones ${x.type} ${n}`, [n], x.type, () =>
      elementsOf(Array<number>(n).fill(1), x.type),
    );
  const rowShape = columnOf(x);
  const [y, ...statistics] = g.node(
    'LayerNormalization',
    b ? [x, weight, b] : [x, weight],
    [
      { shape: x.shape },
      { type: 'float32', shape: rowShape },
      { type: 'float32', shape: rowShape },
    ],
    { attributes: { axis: -1, epsilon: { float: epsilon } } },
  ) as [Value, Value, Value];
  return g.record({
    operator: 'LayerNorm',
    inputs: [x, ...(w ? [w] : []), ...(b ? [b] : [])],
    outputs: [y],
    gradient: ([dy], wanted) => {
      if (!dy) return [];
      const [mean, inverse] = statistics.map((value) => castRaw(g, value, x.type)) as [
        Value,
        Value,
      ];
      const centred = g.emit('Sub', [x, mean], x.shape);
      const unit = g.emit('Mul', [centred, inverse], x.shape);
      const along = g.emit('Mul', [dy, unit], x.shape);
      // dx = r(dy·w − mean(dy·w) − unit · mean(dy·w·unit))
      const projected = g.emit('Mul', [unit, meanWeighted(g, along, weight)], x.shape);
      const weighted = g.emit('Mul', [dy, weight], x.shape);
      const level = g.emit('Sub', [weighted, meanWeighted(g, dy, weight)], x.shape);
      const inner = g.emit('Sub', [level, projected], x.shape);
      return [
        wanted[0] ? g.emit('Mul', [inner, inverse], x.shape) : undefined,
        ...(w ? [wanted[1] ? sumTo(g, along, w.shape) : undefined] : []),
        ...(b ? [wanted[w ? 2 : 1] ? sumTo(g, dy, b.shape) : undefined] : []),
      ];
    },
  });
}

/**
 * 1/√(mean(x²) + epsilon): `[rows, n]` → `[rows, 1]`. Computed again for the backward pass, because
 * the WebGPU kernel of the norm leaves its second output unwritten.
 */
function inverseRms(g: Graph, x: Value, epsilon: number): Value {
  const square = g.emit('Mul', [x, x], x.shape);
  const mean = g.emit('ReduceMean', [square, g.ints([1])], columnOf(x), {
    attributes: { keepdims: 1 },
  });
  const root = g.emit(
    'Sqrt',
    [g.emit('Add', [mean, g.scalar(epsilon, mean)], mean.shape)],
    mean.shape,
  );
  return g.emit('Reciprocal', [root], mean.shape);
}

/** mean over the columns of `x · w`: `[rows, n]`, `[n]` → `[rows, 1]`, as one matrix product. */
function meanWeighted(g: Graph, x: Value, w: Value): Value {
  const n = numeric(x.shape[1]);
  const column = reshapeRaw(g, w, [n, 1]);
  const total = gemm(g, x, column, columnOf(x), {});
  return g.emit('Mul', [total, g.scalar(1 / n, total)], total.shape);
}

function columnOf(x: Value): Shape {
  if (x.shape.length !== 2) throw new Error(`Norms take [rows, n], not [${x.shape.join(', ')}]`);
  return [x.shape[0] ?? 1, 1];
}
