/** Every operator's gradient rule against finite differences, broadcast and size-1 cases included. */
import { describe, expect, it } from 'vitest';
import * as ops from '../../src/graph/index.js';
import { Graph, type Value } from '../../src/graph/index.js';
import { int32, int64, kernelsOf } from '../../src/runtime/index.js';
import { checkGradient, type GradientCase } from '../support/gradients.js';
import { testProvider } from '../support/provider.js';

const positive = (normal: number): number => 0.5 + Math.abs(normal);
const of =
  (name: string) =>
  (inputs: Record<string, Value>): Value => {
    const value = inputs[name];
    if (!value) throw new Error(name);
    return value;
  };
const [x, y, w, b] = [of('x'), of('y'), of('w'), of('b')];

const pairs: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3, 4], [4]],
  [
    [3, 1, 2],
    [4, 1],
  ],
  [[1], [2, 3]],
  [[2, 2], []],
];

const cases: Record<string, GradientCase> = {
  neg: { inputs: { x: [2, 3] }, build: (g, i) => ops.neg(g, x(i)) },
  'scale and shift': {
    inputs: { x: [2, 3] },
    build: (g, i) => ops.shift(g, ops.scale(g, x(i), -1.7), 0.3),
  },
  exp: { inputs: { x: [2, 3] }, build: (g, i) => ops.exp(g, x(i)) },
  log: { inputs: { x: [5] }, build: (g, i) => ops.log(g, x(i)), draw: positive },
  sqrt: { inputs: { x: [5] }, build: (g, i) => ops.sqrt(g, x(i)), draw: positive },
  sigmoid: { inputs: { x: [2, 3] }, build: (g, i) => ops.sigmoid(g, x(i)) },
  tanh: { inputs: { x: [2, 3] }, build: (g, i) => ops.tanh(g, x(i)) },
  erf: { inputs: { x: [2, 3] }, build: (g, i) => ops.erf(g, x(i)) },
  softcap: { inputs: { x: [2, 3] }, build: (g, i) => ops.softcap(g, x(i), 1.2) },
  silu: { inputs: { x: [3, 4] }, build: (g, i) => ops.silu(g, x(i)) },
  'gelu with erf': { inputs: { x: [3, 4] }, build: (g, i) => ops.geluErf(g, x(i)) },
  'gelu with tanh': { inputs: { x: [3, 4] }, build: (g, i) => ops.geluTanh(g, x(i)) },
  softmax: { inputs: { x: [2, 2, 5] }, build: (g, i) => ops.softmax(g, x(i)) },
  'softmax of one': { inputs: { x: [3, 1] }, build: (g, i) => ops.softmax(g, x(i)) },
  'reduceSum, kept': {
    inputs: { x: [2, 3, 2] },
    build: (g, i) => ops.reduceSum(g, x(i), [1], true),
  },
  'reduceSum, dropped': {
    inputs: { x: [2, 3, 2] },
    build: (g, i) => ops.reduceSum(g, x(i), [0, -1]),
  },
  reduceMean: { inputs: { x: [2, 3, 2] }, build: (g, i) => ops.reduceMean(g, x(i), [-1]) },
  reshape: { inputs: { x: [2, 6] }, build: (g, i) => ops.reshape(g, x(i), [3, 4]) },
  transpose: { inputs: { x: [2, 3, 4] }, build: (g, i) => ops.transpose(g, x(i), [2, 0, 1]) },
  'split with an unused part': {
    inputs: { x: [2, 6] },
    build: (g, i) => {
      const [first, , last] = ops.splitLast(g, x(i), [2, 1, 3]);
      return ops.concat(g, [last, first], -1);
    },
  },
  concat: {
    inputs: { x: [2, 1, 3], y: [2, 2, 3] },
    build: (g, i) => ops.concat(g, [x(i), y(i)], 1),
  },
  linear: {
    inputs: { x: [3, 4], w: [2, 4], b: [2] },
    build: (g, i) => ops.linear(g, x(i), w(i), b(i)),
  },
  'linear used twice with one weight': {
    inputs: { x: [3, 4], w: [4, 4] },
    build: (g, i) => ops.linear(g, ops.tanh(g, ops.linear(g, x(i), w(i))), w(i)),
  },
  'linear of one row': {
    inputs: { x: [1, 3], w: [1, 3] },
    build: (g, i) => ops.linear(g, x(i), w(i)),
  },
  conv1d: {
    inputs: { x: [3, 4], w: [4, 2], b: [2] },
    build: (g, i) => ops.conv1d(g, x(i), w(i), b(i)),
  },
  'matmul, broadcast': {
    inputs: { x: [2, 1, 3, 4], y: [2, 4, 2] },
    build: (g, i) => ops.matmul(g, x(i), y(i)),
  },
  rmsNorm: {
    inputs: { x: [3, 6], w: [6] },
    build: (g, i) => ops.rmsNorm(g, x(i), w(i), 1e-5),
  },
  'rmsNorm of one row': {
    inputs: { x: [1, 4], w: [4] },
    build: (g, i) => ops.rmsNorm(g, x(i), w(i), 1e-5),
  },
  layerNorm: {
    inputs: { x: [3, 6], w: [6], b: [6] },
    build: (g, i) => ops.layerNorm(g, x(i), w(i), b(i), 1e-5),
  },
  'layerNorm without shift': {
    inputs: { x: [3, 6], w: [6] },
    build: (g, i) => ops.layerNorm(g, x(i), w(i), undefined, 1e-5),
  },
  'layerNorm without scale or shift': {
    inputs: { x: [3, 6] },
    build: (g, i) => ops.layerNorm(g, x(i), undefined, undefined, 1e-5),
  },
  'embedding with repeated rows': {
    inputs: { w: [5, 3] },
    build: (g, i) => {
      const ids = g.input('ids', 'int32', [6]);
      return ops.embedding(g, w(i), { ids, unique: g.input('unique', 'int32', ['unique']) });
    },
    feeds: {
      ids: int32(Int32Array.of(4, 0, 4, 2, 4, 0), [6]),
      unique: int32(Int32Array.of(0, 2, 4), [3]),
    },
  },
  'embedding tied to a linear layer': {
    inputs: { w: [5, 3] },
    build: (g, i) => {
      const ids = g.input('ids', 'int32', [4]);
      const h = ops.embedding(g, w(i), { ids, unique: g.input('unique', 'int32', ['unique']) });
      return ops.linear(g, ops.tanh(g, h), w(i));
    },
    feeds: {
      ids: int32(Int32Array.of(1, 1, 3, 0), [4]),
      unique: int32(Int32Array.of(3, 0, 1), [3]),
    },
  },
  gatherRows: {
    inputs: { x: [5, 3] },
    build: (g, i) => ops.gatherRows(g, x(i), g.input('at', 'int32', [2])),
    feeds: { at: int32(Int32Array.of(3, 1), [2]) },
  },
  linearCrossEntropy: {
    inputs: { x: [4, 3], w: [6, 3] },
    build: (g, i) => ops.linearCrossEntropy(g, x(i), w(i), g.input('t', 'int32', [4])).nll,
    feeds: { t: int32(Int32Array.of(5, 0, 2, 2), [4]) },
  },
  'linearCrossEntropy of scaled logits': {
    inputs: { x: [4, 3], w: [6, 3] },
    build: (g, i) =>
      ops.linearCrossEntropy(g, x(i), w(i), g.input('t', 'int32', [4]), { scale: 0.4 }).nll,
    feeds: { t: int32(Int32Array.of(5, 0, 2, 2), [4]) },
  },
  'linearCrossEntropy of soft-capped logits': {
    inputs: { x: [4, 3], w: [6, 3] },
    build: (g, i) =>
      ops.linearCrossEntropy(g, x(i), w(i), g.input('t', 'int32', [4]), {
        scale: 1.3,
        softcap: 1.5,
      }).nll,
    feeds: { t: int32(Int32Array.of(5, 0, 2, 2), [4]) },
  },
};

for (const transA of [false, true]) {
  for (const transB of [false, true]) {
    cases[`matmul, transA ${transA}, transB ${transB}`] = {
      inputs: { x: transA ? [2, 4, 3] : [2, 3, 4], y: transB ? [2, 2, 4] : [2, 4, 2] },
      build: (g, i) => ops.matmul(g, x(i), y(i), { transA, transB, alpha: 0.7 }),
    };
  }
}
for (const rotated of [4, 8]) {
  cases[`rotary over ${rotated} of 8`] = {
    inputs: { x: [2, 3, 16] },
    build: (g, i) => {
      const frequencies = Array.from({ length: rotated / 2 }, (_, k) => 1 / 10 ** k);
      const positions = g.input('positions', 'int64', [2, 3]);
      return ops.rotary(g, x(i), positions, ops.rotaryTables(g, frequencies, 16), 2);
    },
    feeds: { positions: int64(Int32Array.of(0, 1, 2, 0, 5, 9), [2, 3]) },
  };
}
cases['rotary of two settings in one graph'] = {
  inputs: { x: [2, 3, 8] },
  build: (g, i) => {
    const positions = g.input('positions', 'int64', [2, 3]);
    const tables = [[1, 0.1], [0.5]].map((frequencies) => ops.rotaryTables(g, frequencies, 16));
    const rotate = (value: Value, at: 0 | 1): Value =>
      ops.rotary(g, value, positions, tables[at] as ops.RotaryTables, 2);
    return ops.mul(g, rotate(x(i), 0), rotate(x(i), 1));
  },
  feeds: { positions: int64(Int32Array.of(0, 1, 2, 0, 5, 9), [2, 3]) },
};
for (const [kvHeads, window, softcap] of [
  [4, Infinity, undefined],
  [2, Infinity, undefined],
  [1, 2, undefined],
  [2, 3, 0.8],
] as const) {
  cases[`attention, 4 heads on ${kvHeads}, window ${window}, softcap ${softcap}`] = {
    inputs: { q: [8, 8], k: [8, 2 * kvHeads], v: [8, 2 * kvHeads] },
    build: (g, i) => {
      const segments = g.initializer('segments', Float32Array.of(1, 1, 2, 2, 1, 1, 1, 0), [2, 4]);
      const bias = ops.attentionBias(g, segments, 2, 4, window);
      const shape = { batch: 2, time: 4, heads: 4, kvHeads, headDim: 2 };
      return ops.attention(g, of('q')(i), of('k')(i), of('v')(i), bias, shape, {
        scale: 0.7,
        softcap,
      });
    },
  };
}

describe(`gradients on ${testProvider}`, () => {
  for (const [name, options] of Object.entries(cases)) {
    it(name, () => checkGradient(options));
  }

  for (const [a, c] of pairs) {
    for (const name of ['add', 'sub', 'mul', 'div'] as const) {
      it(`${name} of [${a.join()}] and [${c.join()}]`, () =>
        checkGradient({
          inputs: { x: a, y: c },
          build: (g, i) => ops[name](g, x(i), y(i)),
          draw: (normal, input) => (input === 'y' ? positive(normal) : normal),
        }));
    }
  }

  it('a missing rule is an error that names the operator', () => {
    const g = new Graph(kernelsOf('cpu'));
    const input = g.input('x', 'float32', [2]);
    const rounded = g.emit('Round', [input], [2]);
    g.record({ operator: 'Round', inputs: [input], outputs: [rounded] });
    expect(() => ops.differentiate(g, ops.sumAll(g, rounded), [input])).toThrow(
      'The operator Round has no gradient rule',
    );
  });

  it('a parameter that does not reach the loss is an error that names it', () => {
    const g = new Graph(kernelsOf('cpu'));
    const [used, unused] = [g.input('used', 'float32', [2]), g.input('unused', 'float32', [2])];
    expect(() => ops.differentiate(g, ops.sumAll(g, used), [unused])).toThrow('unused');
  });
});
