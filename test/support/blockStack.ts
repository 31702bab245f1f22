/**
 * A stack of transformer blocks that share one matrix, and its training graph: what recomputation is
 * tested on.
 */
import {
  add,
  attention,
  attentionBias,
  differentiate,
  Graph,
  linear,
  mul,
  recompute,
  rmsNorm,
  silu,
  sumAll,
  type Kernels,
  type Value,
} from '../../src/graph/index.js';
import { createRandom } from '../../src/random.js';
import { float32, type Feeds } from '../../src/runtime/index.js';

export interface StackShape {
  layers: number;
  lines: number;
  time: number;
  hidden: number;
  heads: number;
  inner: number;
}

export type Block = (x: Value) => Value;

/** How a block is put into the graph: as it is, or wrapped. */
export type Wrap = (g: Graph, block: Block, x: Value) => Value;

export const kept: Wrap = (_g, block, x) => block(x);
export const recomputed: Wrap = (g, block, x) => recompute(g, block, [x]);

/**
 * Inputs: `x` `[lines·time, hidden]`, `weights` by name, and `sum.NAME` for each, which its gradient
 * is added to. Outputs: `loss` `[]`, `gradient.NAME`.
 */
export function stackGraph(kernels: Kernels, shape: StackShape, wrap: Wrap): Graph {
  const { lines, time, hidden, heads } = shape;
  const g = new Graph(kernels);
  const weights = new Map(
    weightShapes(shape).map(([name, dims]) => [name, g.input(name, 'float32', dims)]),
  );
  const w = (name: string): Value => {
    const value = weights.get(name);
    if (!value) throw new Error(name);
    return value;
  };
  const segments = g.initializer('segments', new Float32Array(lines * time).fill(1), [lines, time]);
  const bias = attentionBias(g, segments, lines, time);
  const layout = { batch: lines, time, heads, kvHeads: heads, headDim: hidden / heads };
  let x = linear(g, g.input('x', 'float32', [lines * time, hidden]), w('shared'));
  for (let layer = 0; layer < shape.layers; layer++) {
    const block: Block = (start) => {
      const h = rmsNorm(g, start, w(`${layer}.norm`), 1e-5);
      const q = linear(g, h, w(`${layer}.q`));
      const attended = attention(g, q, linear(g, h, w('shared')), h, bias, layout, { scale: 0.5 });
      const middle = add(g, start, attended);
      const gate = silu(g, linear(g, middle, w(`${layer}.gate`)));
      const up = linear(g, middle, w(`${layer}.up`));
      return add(g, middle, linear(g, mul(g, gate, up), w(`${layer}.down`)));
    };
    x = wrap(g, block, x);
  }
  const y = linear(g, x, w('shared'));
  const loss = sumAll(g, mul(g, y, y));
  const sums = [...weights].map(([name, { shape: dims }]) =>
    g.input(`sum.${name}`, 'float32', dims),
  );
  const gradients = differentiate(g, loss, [...weights.values()], sums);
  g.output('loss', loss);
  [...weights.keys()].forEach((name, i) => g.output(`gradient.${name}`, gradients[i] as Value));
  return g;
}

/** Normal numbers for everything the graph of this shape is fed. */
export function stackFeeds(shape: StackShape, seed: number): Feeds {
  const random = createRandom(seed);
  const draw = (dims: number[], scale: number) => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return float32(
      Float32Array.from({ length: size }, () => random.normal() * scale),
      dims,
    );
  };
  const feeds: Feeds = { x: draw([shape.lines * shape.time, shape.hidden], 1) };
  for (const [name, dims] of weightShapes(shape)) {
    feeds[name] = draw(dims, 0.5 / Math.sqrt(shape.hidden));
    feeds[`sum.${name}`] = draw(dims, 1);
  }
  return feeds;
}

function weightShapes({ layers, hidden, inner }: StackShape): [string, number[]][] {
  const layerShapes = (layer: number): [string, number[]][] => [
    [`${layer}.norm`, [hidden]],
    [`${layer}.q`, [hidden, hidden]],
    [`${layer}.gate`, [inner, hidden]],
    [`${layer}.up`, [inner, hidden]],
    [`${layer}.down`, [hidden, inner]],
  ];
  return [
    ['shared', [hidden, hidden]],
    ...Array.from({ length: layers }, (_, layer) => layerShapes(layer)).flat(),
  ];
}
