/** Broadcasting arithmetic: add, subtract, multiply, divide, and scaling by a number. */
import { broadcast, sameShape, type Shape } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { sumTo } from './reduce.js';

type Rule = (g: Graph, a: Value, b: Value, dy: Value, y: Value) => [() => Value, () => Value];

/** `a + b`. */
export const add = binary('Add', (_g, _a, _b, dy) => [() => dy, () => dy]);

/** `a − b`. */
export const sub = binary('Sub', (g, _a, _b, dy) => [
  () => dy,
  () => raw(g, 'Neg', [dy], dy.shape),
]);

/** `a · b`, element by element. */
export const mul = binary('Mul', (g, a, b, dy) => [
  () => raw(g, 'Mul', [dy, b], dy.shape),
  () => raw(g, 'Mul', [dy, a], dy.shape),
]);

/** `a / b`; d(a/b)/db = −(a/b)/b. */
export const div = binary('Div', (g, _a, b, dy, y) => [
  () => raw(g, 'Div', [dy, b], dy.shape),
  () => {
    const ratio = raw(g, 'Div', [y, b], dy.shape);
    return raw(g, 'Neg', [raw(g, 'Mul', [dy, ratio], dy.shape)], dy.shape);
  },
]);

/** `a · factor` for a number known when the graph is built. */
export function scale(g: Graph, a: Value, factor: number): Value {
  return mul(g, a, g.scalar(factor, a));
}

/** `a + offset` for a number known when the graph is built. */
export function shift(g: Graph, a: Value, offset: number): Value {
  return add(g, a, g.scalar(offset, a));
}

export function neg(g: Graph, a: Value): Value {
  const y = raw(g, 'Neg', [a], a.shape);
  return g.record({
    operator: 'Neg',
    inputs: [a],
    outputs: [y],
    gradient: ([dy]) => [dy && raw(g, 'Neg', [dy], dy.shape)],
  });
}

function binary(operator: string, rule: Rule): (g: Graph, a: Value, b: Value) => Value {
  return (g, a, b) => {
    const y = raw(g, operator, [a, b], broadcast(a.shape, b.shape));
    return g.record({
      operator,
      inputs: [a, b],
      outputs: [y],
      gradient: ([dy], wanted) => {
        if (!dy) return [];
        const rules = rule(g, a, b, dy, y);
        return [a, b].map((input, i) => {
          if (!wanted[i]) return undefined;
          const gradient = (rules[i] as () => Value)();
          return sameShape(gradient.shape, input.shape)
            ? gradient
            : sumTo(g, gradient, input.shape);
        });
      },
    });
  };
}

function raw(g: Graph, operator: string, inputs: Value[], shape: Shape): Value {
  return g.emit(operator, inputs, shape);
}
