/** Products of seeds with the Jacobian, against the gradients of a scalar. */
import { describe, expect, it } from 'vitest';
import {
  add,
  differentiate,
  embedding,
  Graph,
  linear,
  mul,
  splitLast,
  sumAll,
  tanh,
  vjp,
  type Value,
} from '../../src/graph/index.js';
import { createRandom } from '../../src/random.js';
import {
  float32,
  floats,
  int32,
  kernelsOf,
  openDevice,
  type Tensor,
} from '../../src/runtime/index.js';
import { testProvider } from '../support/provider.js';

const kernels = kernelsOf(testProvider);

/** Runs `g`, feeding normal numbers to its float inputs; all outputs, by name. */
async function run(g: Graph): Promise<Record<string, number[]>> {
  const device = await openDevice({ name: testProvider, threads: 1 });
  const session = await device.session(g.encode());
  const random = createRandom(9);
  const feeds = g.inputs.map(({ name, type, shape }): [string, Tensor] => {
    const dims = shape.map(Number);
    const size = dims.reduce((product, dim) => product * dim, 1);
    if (type === 'int32')
      return [
        name,
        int32(
          Int32Array.from({ length: size }, (_, i) => i),
          dims,
        ),
      ];
    return [
      name,
      float32(
        Float32Array.from({ length: size }, () => random.normal()),
        dims,
      ),
    ];
  });
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, y]) => [name, [...floats(y)]]));
}

function start() {
  const g = new Graph(kernels);
  const x = g.input('x', 'float32', [3, 4]);
  const w = g.input('w', 'float32', [4, 4]);
  return { g, x, w, y: tanh(g, linear(g, x, w)) };
}

describe(`vjp on ${testProvider}`, () => {
  it('is what differentiate gives for Σ seed · output over several outputs', async () => {
    const { g, x, w, y } = start();
    const parts = splitLast(g, y, [1, 3]);
    const seeds = parts.map(({ shape }, i) => g.input(`seed${i}`, 'float32', shape));
    const [s0, s1] = seeds as [Value, Value];
    const loss = add(g, sumAll(g, mul(g, parts[0], s0)), sumAll(g, mul(g, parts[1], s1)));
    vjp(g, parts, seeds, [x, w]).forEach((value, i) => g.output(`vjp${i}`, value));
    differentiate(g, loss, [x, w]).forEach((value, i) => g.output(`gradient${i}`, value));
    const { vjp0, vjp1, gradient0, gradient1 } = await run(g);
    expect(new Set(vjp1).size).toBe(16);
    expect([vjp0, vjp1]).toEqual([gradient0, gradient1]);
  });

  it('goes through a graph a block at a time, tied weights included', async () => {
    const g = new Graph(kernels);
    const w = g.input('w', 'float32', [4, 4]);
    const ids = g.input('ids', 'int32', [4]);
    const x = embedding(g, w, { ids, unique: ids });
    const middle = tanh(g, linear(g, x, w));
    const y = tanh(g, linear(g, middle, w));
    const seed = g.input('seed', 'float32', y.shape);
    const [dMiddle, second] = vjp(g, [y], [seed], [middle, w]) as [Value, Value];
    const [dx, first] = vjp(g, [middle], [dMiddle], [x, w]) as [Value, Value];
    const [looked] = vjp(g, [x], [dx], [w]) as [Value];
    g.output('blocks', add(g, add(g, second, first), looked));
    g.output('whole', vjp(g, [y], [seed], [w])[0] as Value);
    const { blocks = [], whole = [] } = await run(g);
    expect(blocks.length).toBe(16);
    blocks.forEach((value, i) => expect(value).toBeCloseTo(whole[i] ?? NaN, 4));
  });

  it('adds to what it starts from', async () => {
    const { g, w, y } = start();
    const [seed, earlier] = [g.input('seed', 'float32', [3, 4]), g.input('sum', 'float32', [4, 4])];
    g.output('added', add(g, vjp(g, [y], [seed], [w])[0] as Value, earlier));
    g.output('started', vjp(g, [y], [seed], [w], [earlier])[0] as Value);
    const { added = [], started = [] } = await run(g);
    added.forEach((value, i) => expect(started[i]).toBeCloseTo(value, 4));
  });

  it('refuses a seed that does not fit, and an input that is not reached', () => {
    const { g, x, w, y } = start();
    expect(() => vjp(g, [y], [w], [x])).toThrow('must be float32 [3, 4], not float32 [4, 4]');
    expect(() => vjp(g, [y], [], [x])).toThrow('not nothing');
    const unused = g.input('unused', 'float32', [2]);
    expect(() => vjp(g, [y], [x], [unused])).toThrow('The loss does not depend on unused');
    expect(() => vjp(g, [y], [x], [unused], [unused])).toThrow('does not depend on unused');
    // What lies before an input is not walked.
    expect(() => vjp(g, [y], [x], [y, w])).toThrow('does not depend on w');
  });
});
