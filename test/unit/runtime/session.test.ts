/** Sessions and held tensors, on the provider under test. */
import { describe, expect, it } from 'vitest';
import { CfsError, defined } from '../../../src/errors.js';
import { Graph } from '../../../src/graph/index.js';
import { float32, floats, kernelsOf, openDevice, providers } from '../../../src/runtime/index.js';
import type { Device, Held } from '../../../src/runtime/index.js';
import { testProvider } from '../../support/provider.js';

/** y = 2x and z = x + 1. */
function model(): Uint8Array {
  const g = new Graph(kernelsOf(testProvider));
  const x = g.input('x', 'float32', ['n']);
  g.output('y', g.emit('Add', [x, x], x.shape));
  g.output('z', g.emit('Add', [x, g.scalar(1, x)], x.shape));
  return g.encode('doubles');
}

async function holdOn(device: Device, values: Float32Array): Promise<Held> {
  const { tensors } = await device.allocate([[values.length]], 2);
  const held = defined(tensors[0], 'tensor');
  await device.fill(held, (all) => all.set(values));
  return held;
}

describe(`a device on ${testProvider}`, () => {
  it('writes held outputs where they are held and returns the others', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const session = await device.session(model(), ['y']);
    const held = await holdOn(device, Float32Array.of(1, 2, 3));
    for (let i = 0; i < 3; i++) {
      const { z } = await session.run({ x: held.tensor }, { y: held });
      expect([...floats(z)]).toEqual([1, 2, 3].map((value) => value * 2 ** i + 1));
    }
    expect([...(await device.read(held))]).toEqual([8, 16, 24]);
    await session.release();
    device.release(held);
  });

  it('keeps held tensors usable after the session that made them is released', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const held = await holdOn(device, new Float32Array(5000).fill(1));
    for (let i = 1; i <= 5; i++) {
      const session = await device.session(model(), ['y']);
      await session.run({ x: held.tensor }, { y: held });
      await session.release();
      expect((await device.read(held)).every((value) => value === 2 ** i)).toBe(true);
    }
    device.release(held);
  });

  it('clears what is held, numbers or not', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const held = await holdOn(device, Float32Array.of(1, NaN, -Infinity, -0));
    await device.clear(held);
    expect([...(await device.read(held))]).toEqual([0, 0, 0, 0]);
    device.release(held);
  });

  it('says so when a graph cannot be loaded', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const failure = await device.session(Uint8Array.of(1, 2, 3)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CfsError);
    expect(failure).toMatchObject({ code: 'SESSION_FAILED' });
  });

  it('allocates zeros that can be seen as tensors and as parts, with the same memory', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const { tensors, parts } = await device.allocate([[2, 3], [1], [4]], 4);
    expect(tensors.map(({ tensor }) => [...tensor.dims])).toEqual([[2, 3], [1], [4]]);
    for (const [i, held] of tensors.entries()) {
      const { size } = held.tensor;
      expect([...(await device.read(held))]).toEqual(new Array(size).fill(0));
      await device.fill(held, (values) => void values.fill(i + 1));
    }
    const seen: number[] = [];
    for (const part of parts) seen.push(...(await device.read(part)));
    expect(seen).toEqual([1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3]);
    const onHost = providers[testProvider].residency === 'host';
    expect(parts.map(({ tensor }) => tensor.size)).toEqual(onHost ? [4, 4, 3] : [6, 1, 4]);
  });

  it('takes a tensor that is shared between two sessions', async () => {
    const device = await openDevice({ name: testProvider, threads: 1 });
    const [first, second] = [await device.session(model(), ['y']), await device.session(model())];
    const held = await holdOn(device, Float32Array.of(3));
    await first.run({ x: held.tensor }, { y: held });
    const { z } = await second.run({ x: float32(Float32Array.of(4), [1]) });
    expect([...floats(z)]).toEqual([5]);
    expect([...floats((await second.run({ x: held.tensor })).y)]).toEqual([12]);
    await Promise.all([first.release(), second.release()]);
  });
});
