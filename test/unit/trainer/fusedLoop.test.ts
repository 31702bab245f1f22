/** The compiled loop against the same arithmetic one number at a time, to the bit. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/random.js';
import { createLoop } from '../../../src/trainer/fusedLoop.js';

const { fround, sqrt } = Math;

/** a ← k · (a + b) − √(b · b) / c, with a number k and a constant c; b ← a · a. */
function build() {
  const loop = createLoop();
  const [a, k, b] = [loop.input('a'), loop.number('k'), loop.input('b')];
  const root = loop.op('Sqrt', loop.op('Mul', b, b));
  const left = loop.op('Mul', k, loop.op('Add', a, b));
  loop.overwrite('b', loop.op('Mul', a, a));
  loop.overwrite('a', loop.op('Sub', left, loop.op('Div', root, loop.constant(0.3))));
  return loop.build();
}

function expected(a: number, b: number, k: number): [number, number] {
  const root = fround(sqrt(fround(b * b)));
  const left = fround(fround(k) * fround(a + b));
  return [fround(left - fround(root / fround(0.3))), fround(a * a)];
}

describe('a fused loop', () => {
  // One element, less than a vector, not a whole number of vectors, more than one block.
  it.each([1, 3, 1001, (1 << 17) + 5])('gives the bits of single operations: %i', (length) => {
    const random = createRandom(length);
    const draw = (): Float32Array => Float32Array.from({ length }, () => random.normal());
    const [a, b] = [draw(), draw()];
    const wanted = Array.from(a, (value, i) => expected(value, b[i] as number, 0.7));
    build()(new Map([['a', a], ['b', b]]), new Map([['k', 0.7]])); // prettier-ignore
    expect(a).toEqual(Float32Array.from(wanted, ([value]) => value));
    expect(b).toEqual(Float32Array.from(wanted, ([, value]) => value));
  });

  it('takes the numbers of each run', () => {
    const loop = build();
    const results = [0, 2].map((k) => {
      const [a, b] = [Float32Array.of(4), Float32Array.of(0.5)];
      loop(new Map([['a', a], ['b', b]]), new Map([['k', k]])); // prettier-ignore
      return a[0];
    });
    expect(results).toEqual([0, 2].map((k) => expected(4, 0.5, k)[0]));
  });

  it('says what it was not given', () => {
    expect(() => build()(new Map([['a', new Float32Array(1)]]), new Map())).toThrow(/\bb\b/);
  });
});
