/** Recomputed blocks against the same blocks kept: every bit of every gradient. */
import { describe, expect, it } from 'vitest';
import {
  differentiate,
  Graph,
  linear,
  mul,
  recompute,
  sumAll,
  tanh,
  type Value,
} from '../../src/graph/index.js';
import { floats, kernelsOf, openDevice } from '../../src/runtime/index.js';
import {
  kept,
  recomputed,
  stackFeeds,
  stackGraph,
  type StackShape,
  type Wrap,
} from '../support/blockStack.js';
import { testProvider } from '../support/provider.js';

const shape: StackShape = { layers: 3, lines: 2, time: 4, hidden: 8, heads: 2, inner: 12 };
const kernels = kernelsOf(testProvider);

/** All outputs, by name. */
async function outputsOf(wrap: Wrap, edit = (x: Float32Array): Float32Array => x) {
  const device = await openDevice({ name: testProvider, threads: 1 });
  const session = await device.session(stackGraph(kernels, shape, wrap).encode());
  const feeds = stackFeeds(shape, 5);
  edit(floats(feeds.x));
  const outputs = await session.run(feeds);
  await session.release();
  return new Map(Object.entries(outputs).map(([name, tensor]) => [name, floats(tensor)]));
}

/** The same bits on the CPU; elsewhere kernels of the two passes may round differently. */
function expectSame(actual: Map<string, Float32Array>, expected: Map<string, Float32Array>): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) {
    const others = actual.get(name) ?? new Float32Array();
    if (testProvider === 'cpu') {
      expect(bitsOf(others), name).toEqual(bitsOf(values));
      continue;
    }
    const scale = Math.max(...values.filter((value) => !Number.isNaN(value)).map(Math.abs), 1);
    const wrong = values.filter((value, i) => {
      const other = others[i] ?? Infinity;
      return !Object.is(value, other) && !(Math.abs(value - other) <= 1e-5 * scale);
    });
    expect([...wrong], name).toEqual([]);
  }
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): number[] {
  return [...new Uint32Array(buffer, byteOffset, length)];
}

/** Both halves of the stack in a block that recomputes blocks. */
const nested: Wrap = (g, block, x) =>
  recompute(g, (y) => recompute(g, (z) => block(z), [block(y)]), [x]);
const twice: Wrap = (_g, block, x) => block(block(x));

describe(`recompute on ${testProvider}`, () => {
  it('changes neither the loss nor a gradient', async () => {
    const plain = await outputsOf(kept);
    expect(new Set(plain.get('gradient.0.gate')).size).toBeGreaterThan(90);
    expectSame(await outputsOf(recomputed), plain);
  });

  it('may be nested', async () => {
    expectSame(await outputsOf(nested), await outputsOf(twice));
  });

  it('lets NaN and negative zero through', async () => {
    for (const value of [NaN, -0]) {
      const edit = (x: Float32Array) => x.fill(value, 0, 3);
      expectSame(await outputsOf(recomputed, edit), await outputsOf(kept, edit));
    }
  });
});

describe('recompute', () => {
  const start = () => {
    const g = new Graph(kernels);
    return { g, x: g.input('x', 'float32', [2, 3]), w: g.input('w', 'float32', [3, 3]) };
  };

  it('runs the block twice, and the first time alone when nobody differentiates', () => {
    const { g, x, w } = start();
    const y = recompute(g, (h) => tanh(g, linear(g, h, w)), [x]);
    const products = () => g.nodes.filter(({ opType }) => opType === 'Tanh').length;
    expect(products()).toBe(1);
    differentiate(g, sumAll(g, y), [w]);
    expect(products()).toBe(2);
  });

  it('emits no gradient that nobody wants', () => {
    const { g, x, w } = start();
    const y = recompute(g, (h) => linear(g, h, w), [x]);
    const before = g.nodes.length;
    differentiate(g, sumAll(g, y), [w]);
    const gradients = g.nodes.slice(before).filter(({ input }) => input.includes('w'));
    // The second pass reads the weight, the gradient of x would read it as well.
    expect(gradients.map(({ opType }) => opType)).toEqual(['Gemm']);
  });

  it('does not take integers', () => {
    const { g } = start();
    const ids = g.input('ids', 'int32', [2]);
    expect(() => recompute(g, (h) => h, [ids])).toThrow('ids is int32');
  });

  it('does not take a block that hands on what it was given', () => {
    const { g, x } = start();
    expect(() => recompute(g, (h) => h, [x])).toThrow('did not make x');
  });

  it('is an error where something inside a block is read outside', () => {
    const { g, x, w } = start();
    const inside: Value[] = [];
    const y = recompute(
      g,
      (h) => {
        const hidden = linear(g, h, w);
        inside.push(hidden);
        return tanh(g, hidden);
      },
      [x],
    );
    const [leaked = x] = inside;
    const loss = sumAll(g, mul(g, y, leaked));
    expect(() => differentiate(g, loss, [w])).toThrow(`${leaked.name} is read outside the block`);
  });
});
