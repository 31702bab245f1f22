/** Touching memory: zeros everywhere in what was asked for, and nothing beside it. */
import { expect, it } from 'vitest';
import { touch } from '../../src/touch.js';

it('writes zeros to all of an array in several pieces, and to nothing beside it', async () => {
  const [before, length] = [1000, 5_000_001];
  const all = new Float32Array(before + length + 1).fill(1);
  await touch(all.subarray(before, before + length));
  expect(all.subarray(0, before).every((value) => value === 1)).toBe(true);
  expect(all.at(-1)).toBe(1);
  const touched = all.subarray(before, before + length);
  // Windows has no device of zeros, and there nothing happens.
  const expected = process.platform === 'win32' ? 1 : 0;
  expect(touched.every((value) => value === expected)).toBe(true);
});

it('touches an empty array', async () => {
  await touch(new Float32Array());
});
