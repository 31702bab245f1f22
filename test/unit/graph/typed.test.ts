/** Element types: where they come from, what is refused, and that ONNX Runtime agrees with them. */
import { describe, expect, it } from 'vitest';
import * as ort from 'onnxruntime-node';
import {
  add,
  attentionBias,
  cast,
  concat,
  differentiate,
  exp,
  Graph,
  hiddenScore,
  linear,
  matmul,
  mul,
  reshape,
  scale,
  softcap,
  softmax,
  sumAll,
  type FloatType,
  type Value,
} from '../../../src/graph/index.js';
import { decodeFloats, encodeFloats } from '../../../src/model/dtype.js';
import { floats, openDevice } from '../../../src/runtime/index.js';

const kernels = { fusedMatMul: false };

/** Runs a graph with one output `y`; every input is a float16 tensor. */
async function runHalf(g: Graph, inputs: Record<string, { values: number[]; dims: number[] }>) {
  const device = await openDevice({ name: 'cpu', threads: 1 });
  const session = await device.session(g.encode());
  const feeds = Object.entries(inputs).map(([name, { values, dims }]) => {
    const bytes = encodeFloats(Float32Array.from(values), 'F16');
    return [name, new ort.Tensor('float16', new Uint16Array(bytes.buffer), dims)] as const;
  });
  const { y } = await session.run(Object.fromEntries(feeds));
  await session.release();
  if (!y) throw new Error('y');
  return y;
}

/** The numbers of a float16 tensor. */
function numbers({ type, data }: ort.Tensor): number[] {
  expect(type).toBe('float16');
  const { buffer, byteOffset, byteLength } = data as Uint16Array;
  return [...decodeFloats(new Uint8Array(buffer, byteOffset, byteLength), 'F16')];
}

describe('a typed graph', () => {
  it('gives a result the type of its first input, unless told otherwise', () => {
    const g = new Graph(kernels);
    const ids = g.input('ids', 'int32', [4]);
    const table = g.input('table', 'float16', [9, 3]);
    expect(g.emit('Gather', [table, ids], [4, 3]).type).toBe('float16');
    expect(g.emit('Neg', [ids], [4]).type).toBe('int32');
    expect(g.emit('Less', [ids, ids], [4], { type: 'bool' }).type).toBe('bool');
    expect(exp(g, table).type).toBe('float16');
    expect(reshape(g, table, [27]).type).toBe('float16');
  });

  it('gives constants the type of what they meet, and shares equal ones of one type', () => {
    const g = new Graph(kernels);
    const [half, whole] = [g.input('half', 'float16', []), g.input('whole', 'float32', [])];
    expect(g.scalar(2, half).type).toBe('float16');
    expect(g.scalar(2, half)).toBe(g.scalar(2, exp(g, half)));
    expect(g.scalar(2, half)).not.toBe(g.scalar(2, whole));
  });

  it('refuses operands of different types and names both', () => {
    const g = new Graph(kernels);
    const half = g.input('half', 'float16', [2, 2]);
    const whole = g.input('whole', 'float32', [2, 2]);
    const message = 'not float16 [2, 2] and float32 [2, 2]';
    for (const operator of [add, mul, matmul, linear]) {
      expect(() => operator(g, half, whole)).toThrow(message);
    }
    expect(() => concat(g, [half, whole], 0)).toThrow(
      `Concat takes operands of one type, ${message}`,
    );
    expect(add(g, cast(g, half, 'float32'), whole).type).toBe('float32');
  });

  it('refuses two values of one name', () => {
    const g = new Graph(kernels);
    g.input('x', 'float32', []);
    expect(() => g.input('x', 'float32', [])).toThrow('Two values are called x');
  });

  it('is loaded and run by ONNX Runtime in float16, gradients included', async () => {
    const g = new Graph(kernels);
    const x = g.input('x', 'float16', [2, 2]);
    const w = g.input('w', 'float16', [2, 2]);
    const y = scale(g, matmul(g, x, w), 0.5);
    const [dx] = differentiate(g, sumAll(g, mul(g, y, y)), [x]) as [Value];
    expect(dx.type).toBe('float16');
    g.output('y', dx);
    const result = await runHalf(g, {
      x: { values: [1, 2, 3, 4], dims: [2, 2] },
      w: { values: [2, 0, 0, -1], dims: [2, 2] },
    });
    // y = xw/2, so the gradient of Σ y² is y·wᵀ.
    expect(numbers(result)).toEqual([2, 1, 6, 2]);
  });

  it('casts gradients back to the type of what was cast', async () => {
    const g = new Graph(kernels);
    const x = g.input('x', 'float16', [3]);
    const whole = cast(g, x, 'float32');
    const [dx] = differentiate(g, sumAll(g, mul(g, whole, whole)), [x]) as [Value];
    g.output('y', dx);
    const result = await runHalf(g, { x: { values: [0.5, -3, 0], dims: [3] } });
    expect(numbers(result)).toEqual([1, -6, 0]);
  });

  it('has no gradient through integers', () => {
    const g = new Graph(kernels);
    const x = g.input('x', 'float32', [3]);
    const rounded = cast(g, cast(g, x, 'int32'), 'float32');
    expect(() => differentiate(g, sumAll(g, rounded), [x])).toThrow('Cast has no gradient rule');
  });

  it('writes 16-bit constants as their own bits', async () => {
    for (const type of ['float16', 'bfloat16'] as const) {
      const g = new Graph(kernels);
      const like = g.input('like', 'float32', [2]);
      const bits = type === 'float16' ? 0x3e00 : 0x3fc0;
      const stored = g.initializer('stored', Uint16Array.of(bits, bits + 1), [2], type);
      const exact = add(g, cast(g, stored, 'float32'), mul(g, like, g.scalar(0, like)));
      g.output('y', add(g, exact, cast(g, g.scalar(1.5, { type }), 'float32')));
      const device = await openDevice({ name: 'cpu', threads: 1 });
      const session = await device.session(g.encode());
      const { y } = await session.run({ like: new ort.Tensor('float32', [0, 0], [2]) });
      await session.release();
      const step = type === 'float16' ? 2 ** -10 : 2 ** -7;
      expect([...floats(y)]).toEqual([3, 3 + step]);
    }
    expect(() => new Graph(kernels).initializer('bits', new Uint16Array(1), [1])).toThrow('16-bit');
  });

  it('leaves out of the file what no output needs', async () => {
    const g = new Graph(kernels);
    const x = g.input('x', 'float16', [2]);
    const kept = exp(g, x);
    exp(g, softcap(g, kept, 2));
    g.output('y', kept);
    expect(g.neededNodes().map(({ opType }) => opType)).toEqual(['Exp', 'Identity']);
    expect(numbers(await runHalf(g, { x: { values: [0, 0], dims: [2] } }))).toEqual([1, 1]);
  });
});

describe('the attention mask', () => {
  const types: FloatType[] = ['float32', 'float16'];
  it.each(types)('hides exactly and stays finite in %s', async (type) => {
    const time = 6;
    const g = new Graph(kernels);
    // Segments so far apart that their squares are beyond float16.
    const data = Float32Array.of(1, 1, 1000, 1000, 0, 0);
    const segments = g.initializer('segments', data, [1, time]);
    const bias = attentionBias(g, segments, 1, time, 2, type);
    const scores = g.input('scores', 'float16', [1, 1, time, time]);
    const weights = softmax(g, add(g, cast(g, scores, type), bias));
    g.output('y', cast(g, concat(g, [weights, bias], 0), 'float16'));
    const values = Array.from({ length: time * time }, (_, i) => ((i * 7) % 11) - 5);
    const result = numbers(await runHalf(g, { scores: { values, dims: [1, 1, time, time] } }));
    const seen = (query: number, key: number): boolean =>
      key <= query && query - key < 2 && data[query] === data[key];
    for (let query = 0; query < time; query++) {
      for (let key = 0; key < time; key++) {
        const weight = result[query * time + key] ?? NaN;
        if (seen(query, key)) expect(weight).toBeGreaterThan(0);
        else expect(weight).toBe(0);
      }
    }
    if (type === 'float16')
      expect(new Set(result.slice(time * time))).toEqual(new Set([0, hiddenScore(type)]));
    expect(Math.abs(2 * hiddenScore('float16'))).toBeLessThanOrEqual(65504);
  });
});
