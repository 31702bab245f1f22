/** Operators that move elements and compute nothing: reshape, transpose, split, concatenate. */
import { numeric, product, reshapeTarget, sameShape, type Dim, type Shape } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { castRaw } from './cast.js';

/** The same elements in another shape, which may have one symbolic size. */
export function reshape(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (product(x.shape) !== product(shape)) {
    throw new Error(`Cannot reshape [${x.shape.join(', ')}] to [${shape.join(', ')}]`);
  }
  return g.record({
    operator: 'Reshape',
    inputs: [x],
    outputs: [reshapeRaw(g, x, shape)],
    gradient: ([dy]) => [dy && reshapeRaw(g, dy, x.shape)],
  });
}

/** Axis i of the result is axis `order[i]` of `x`. */
export function transpose(g: Graph, x: Value, order: number[]): Value {
  const back = order.map((_, i) => order.indexOf(i));
  return g.record({
    operator: 'Transpose',
    inputs: [x],
    outputs: [transposeRaw(g, x, order)],
    gradient: ([dy]) => [dy && transposeRaw(g, dy, back)],
  });
}

/** Cuts the last axis into parts of the given sizes. */
export function splitLast<const Sizes extends readonly number[]>(
  g: Graph,
  x: Value,
  sizes: Sizes,
): { -readonly [Part in keyof Sizes]: Value } {
  const rest = x.shape.slice(0, -1);
  const parts = g.node(
    'Split',
    [x, g.ints([...sizes])],
    sizes.map((size) => ({ shape: [...rest, size] })),
    { attributes: { axis: -1 } },
  );
  g.record({
    operator: 'Split',
    inputs: [x],
    outputs: parts,
    gradient: (gradients) => {
      const filled = gradients.map((dy, i) => dy ?? zerosLike(g, parts[i] as Value));
      return [concatRaw(g, filled, -1)];
    },
  });
  return parts as { -readonly [Part in keyof Sizes]: Value };
}

/** Joins values along one axis. */
export function concat(g: Graph, parts: Value[], axis: number): Value {
  return g.record({
    operator: 'Concat',
    inputs: parts,
    outputs: [concatRaw(g, parts, axis)],
    gradient: ([dy]) => {
      if (!dy) return [];
      const sizes = parts.map((part) => numeric(part.shape.at(axis)));
      return g.node(
        'Split',
        [dy, g.ints(sizes)],
        parts.map(({ shape }) => ({ shape })),
        { attributes: { axis } },
      );
    },
  });
}

/** `x` repeated to the shape of `like`, through a broadcasting addition of zero. */
export function expandTo(g: Graph, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  return g.emit('Add', [x, zerosLike(g, like)], like.shape);
}

/** Zeros in the shape of `x`, without asking for its size at run time. */
export function zerosLike(g: Graph, x: Value): Value {
  if (x.shape.every((dim) => typeof dim === 'number')) {
    return g.emit('Expand', [g.scalar(0, x), g.ints(x.shape as number[])], x.shape);
  }
  // x − x would be NaN where x is infinite; Less(x, −∞) is false everywhere.
  const never = g.emit('Less', [x, g.scalar(-Infinity, x)], x.shape, { type: 'bool' });
  return castRaw(g, never, x.type);
}

export function reshapeRaw(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return g.emit('Reshape', [x, g.ints(reshapeTarget(shape))], shape);
}

export function transposeRaw(g: Graph, x: Value, order: number[]): Value {
  const shape = order.map((axis) => x.shape[axis] as Dim);
  return g.emit('Transpose', [x], shape, { attributes: { perm: order } });
}

function concatRaw(g: Graph, parts: Value[], axis: number): Value {
  const first = parts[0] as Value;
  const at = axis < 0 ? axis + first.shape.length : axis;
  const total = parts.reduce((n, part) => n + numeric(part.shape[at]), 0);
  const shape = first.shape.map((dim, i) => (i === at ? total : dim));
  return g.emit('Concat', parts, shape, { attributes: { axis } });
}
