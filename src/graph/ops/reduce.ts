/** Sums and means over axes. */
import { numeric, type Dim, type Shape } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { expandTo, reshapeRaw } from './shape.js';

/** Σ over `axes` (negative ones count from the end); `keep` leaves them as size 1. */
export function reduceSum(g: Graph, x: Value, axes: number[], keep = false): Value {
  return reduce(g, 'ReduceSum', x, axes, keep, 1);
}

/** Mean over `axes`, whose sizes must be fixed. */
export function reduceMean(g: Graph, x: Value, axes: number[], keep = false): Value {
  const positive = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
  const count = positive.reduce((n, axis) => n * numeric(x.shape[axis]), 1);
  return reduce(g, 'ReduceMean', x, axes, keep, 1 / count);
}

/** Σ over everything: a scalar. */
export function sumAll(g: Graph, x: Value): Value {
  return reduceSum(
    g,
    x,
    x.shape.map((_, i) => i),
  );
}

/** Maximum over the last axis, kept as size 1. Has no gradient rule: use it for shifts that cancel. */
export function maxLast(g: Graph, x: Value): Value {
  return g.emit('ReduceMax', [x, g.ints([-1])], [...x.shape.slice(0, -1), 1], {
    attributes: { keepdims: 1 },
  });
}

/** Undoes broadcasting: sums the axes along which a value of `shape` was repeated. */
export function sumTo(g: Graph, x: Value, shape: Shape): Value {
  const extra = x.shape.length - shape.length;
  const axes = x.shape
    .map((dim, i) => ({ dim, i }))
    .filter(({ dim, i }) => i < extra || (shape[i - extra] === 1 && dim !== 1))
    .map(({ i }) => i);
  const summed = axes.length === 0 ? x : reduceRaw(g, 'ReduceSum', x, axes, true);
  return summed.shape.length === shape.length ? summed : reshapeRaw(g, summed, shape);
}

function reduce(
  g: Graph,
  operator: 'ReduceSum' | 'ReduceMean',
  x: Value,
  axes: number[],
  keep: boolean,
  factor: number,
): Value {
  const positive = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
  const y = reduceRaw(g, operator, x, positive, keep);
  return g.record({
    operator,
    inputs: [x],
    outputs: [y],
    gradient: ([dy]) => {
      if (!dy) return [];
      const kept: Dim[] = x.shape.map((dim, i) => (positive.includes(i) ? 1 : dim));
      const aligned = keep ? dy : reshapeRaw(g, dy, kept);
      const scaled =
        factor === 1 ? aligned : g.emit('Mul', [aligned, g.scalar(factor, aligned)], aligned.shape);
      return [expandTo(g, scaled, x)];
    },
  });
}

function reduceRaw(g: Graph, operator: string, x: Value, axes: number[], keep: boolean): Value {
  const shape = x.shape
    .map((dim, i) => (axes.includes(i) ? 1 : dim))
    .filter((_, i) => keep || !axes.includes(i));
  return g.emit(operator, [x, g.ints(axes)], shape, { attributes: { keepdims: keep ? 1 : 0 } });
}
