/** Functions of one value, element by element. */
import type { Graph, Value } from '../graph.js';

type Rule = (g: Graph, x: Value, y: Value, dy: Value) => Value;

export const exp = unary('Exp', (g, _x, y, dy) => times(g, dy, y));

export const log = unary('Log', (g, x, _y, dy) => g.emit('Div', [dy, x], dy.shape));

/** d√x = dy / (2√x). */
export const sqrt = unary('Sqrt', (g, _x, y, dy) =>
  g.emit('Div', [times(g, dy, g.scalar(0.5, dy)), y], dy.shape),
);

/** σ(x); σ' = σ(1 − σ). */
export const sigmoid = unary('Sigmoid', (g, _x, y, dy) =>
  times(g, dy, g.emit('Sub', [y, times(g, y, y)], y.shape)),
);

/** tanh' = 1 − tanh². */
export const tanh = unary('Tanh', (g, _x, y, dy) => times(g, dy, tanhSlope(g, y)));

/** erf' = 2/√π · exp(−x²). */
export const erf = unary('Erf', (g, x, _y, dy) => {
  const bell = g.emit('Exp', [g.emit('Neg', [times(g, x, x)], x.shape)], x.shape);
  return times(g, dy, times(g, bell, g.scalar(2 / Math.sqrt(Math.PI), bell)));
});

/** cap · tanh(x/cap): `x` kept within ±`cap` (Gemma 2). Its slope is 1 − tanh²(x/cap). */
export function softcap(g: Graph, x: Value, cap: number): Value {
  const { y, t } = softcapRaw(g, x, cap);
  return g.record({
    operator: 'Softcap',
    inputs: [x],
    outputs: [y],
    gradient: ([dy]) => [dy && times(g, dy, tanhSlope(g, t))],
  });
}

/** `softcap` without a gradient rule, and the tanh that its slope is made of. */
export function softcapRaw(g: Graph, x: Value, cap: number): { y: Value; t: Value } {
  const t = g.emit('Tanh', [g.emit('Div', [x, g.scalar(cap, x)], x.shape)], x.shape);
  return { y: times(g, t, g.scalar(cap, t)), t };
}

/** 1 − t², the slope of tanh where it is `t`. */
export function tanhSlope(g: Graph, t: Value): Value {
  return g.emit('Sub', [g.scalar(1, t), times(g, t, t)], t.shape);
}

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
