/** Functions of one value, element by element. */
import type { Graph, Value } from '../graph.js';

type Rule = (g: Graph, x: Value, y: Value, dy: Value) => Value;

export const exp = unary('Exp', (g, _x, y, dy) => times(g, dy, y));

export const log = unary('Log', (g, x, _y, dy) => g.emit('Div', [dy, x], dy.shape));

/** d√x = dy / (2√x). */
export const sqrt = unary('Sqrt', (g, _x, y, dy) =>
  g.emit('Div', [times(g, dy, g.float(0.5)), y], dy.shape),
);

/** σ(x); σ' = σ(1 − σ). */
export const sigmoid = unary('Sigmoid', (g, _x, y, dy) =>
  times(g, dy, g.emit('Sub', [y, times(g, y, y)], y.shape)),
);

/** tanh' = 1 − tanh². */
export const tanh = unary('Tanh', (g, _x, y, dy) =>
  times(g, dy, g.emit('Sub', [g.float(1), times(g, y, y)], y.shape)),
);

/** erf' = 2/√π · exp(−x²). */
export const erf = unary('Erf', (g, x, _y, dy) => {
  const bell = g.emit('Exp', [g.emit('Neg', [times(g, x, x)], x.shape)], x.shape);
  return times(g, dy, times(g, bell, g.float(2 / Math.sqrt(Math.PI))));
});

function unary(operator: string, rule: Rule): (g: Graph, x: Value) => Value {
  return (g, x) => {
    const y = g.emit(operator, [x], x.shape);
    return g.record({
      operator,
      inputs: [x],
      outputs: [y],
      gradient: ([dy]) => [dy && rule(g, x, y, dy)],
    });
  };
}

function times(g: Graph, a: Value, b: Value): Value {
  return g.emit('Mul', [a, b], a.shape);
}
