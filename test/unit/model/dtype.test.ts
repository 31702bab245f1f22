/** Half-precision conversion against known bit patterns and against the definition of rounding. */
import { describe, expect, it } from 'vitest';
import {
  decodeFloats,
  decodeHalves,
  encodeFloats,
  firstNonFinite,
  firstNonFiniteIn,
} from '../../../src/model/dtype.js';
import type { FloatDtype } from '../../../src/model/dtype.js';
import { float32Loop } from '../../../src/model/elementLoops.js';
import { createRandom } from '../../../src/random.js';

function bitsOf(value: number, dtype: FloatDtype): number {
  return new Uint16Array(encodeFloats(Float32Array.of(value), dtype).buffer)[0] ?? -1;
}

function valueOf(bits: number, dtype: FloatDtype): number {
  return decodeFloats(new Uint8Array(Uint16Array.of(bits).buffer), dtype)[0] ?? 0;
}

const allBits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);

describe('half precision', () => {
  // IEEE 754 binary16, from the standard's own examples.
  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 2 ** -14 - 2 ** -24],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ])('F16 0x%s is %s both ways', (bits, value) => {
    expect(valueOf(bits, 'F16')).toBe(value);
    expect(bitsOf(value, 'F16')).toBe(bits);
  });

  it.each([
    [0x3f80, 1],
    [0x8000, -0],
    [0x4049, 3.140625],
    [0x0001, 2 ** -133],
    [0x7f7f, 2 ** 127 * (2 - 2 ** -7)],
    [0x7f80, Infinity],
  ])('BF16 0x%s is %s both ways', (bits, value) => {
    expect(valueOf(bits, 'BF16')).toBe(value);
    expect(bitsOf(value, 'BF16')).toBe(bits);
  });

  it.each(['F16', 'BF16'] as const)(
    'every %s pattern survives the way to float32 and back',
    (d) => {
      const decoded = decodeFloats(new Uint8Array(allBits.slice().buffer), d);
      const back = new Uint16Array(encodeFloats(decoded, d).buffer);
      const quiet = d === 'F16' ? 0x200 : 0x40;
      const wrong = allBits.filter((bits, i) => {
        const isNan = Number.isNaN(decoded[i]);
        return back[i] !== (isNan ? bits | quiet : bits);
      });
      expect([...wrong]).toEqual([]);
    },
  );

  it.each(['F16', 'BF16'] as const)('%s rounds to the nearest, ties to even', (dtype) => {
    const random = createRandom(7);
    const scratch = new Uint32Array(1);
    const asFloat = new Float32Array(scratch.buffer);
    const largest = valueOf(dtype === 'F16' ? 0x7bff : 0x7f7f, dtype);
    let checked = 0;
    for (let i = 0; i < 40_000; i++) {
      const a = random.below(dtype === 'F16' ? 0x7bff : 0x7f7f);
      const low = valueOf(a, dtype);
      const high = valueOf(a + 1, dtype);
      // The exact middle every other time, else anything between two neighbours.
      const share = i % 2 === 0 ? 0.5 : random.uniform();
      asFloat[0] = low + (high - low) * share;
      const value = asFloat[0] ?? 0;
      if (value > largest) continue;
      const toLow = value - low;
      const toHigh = high - value;
      const expected = toLow < toHigh || (toLow === toHigh && a % 2 === 0) ? a : a + 1;
      if (bitsOf(value, dtype) !== expected || bitsOf(-value, dtype) !== (expected | 0x8000)) {
        expect.fail(`${value} became ${bitsOf(value, dtype)}, not ${expected}`);
      }
      checked++;
    }
    expect(checked).toBe(40_000);
  });

  it('keeps NaN a NaN even when its payload lies in the low bits, and overflows to infinity', () => {
    const nan = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    for (const dtype of ['F16', 'BF16'] as const) {
      expect(decodeFloats(encodeFloats(nan, dtype), dtype)[0]).toBeNaN();
    }
    expect(bitsOf(65519, 'F16')).toBe(0x7bff);
    expect(bitsOf(65520, 'F16')).toBe(0x7c00);
    expect(bitsOf(2 ** -25, 'F16')).toBe(0);
    expect(bitsOf(2 ** -25 * 1.0001, 'F16')).toBe(1);
  });

  it('reads bytes that are not aligned', () => {
    const bytes = new Uint8Array(5);
    bytes.set(new Uint8Array(Float32Array.of(1.5).buffer), 1);
    expect([...decodeFloats(bytes.subarray(1), 'F32')]).toEqual([1.5]);
  });

  it('finds the first number that is not finite', () => {
    expect(firstNonFinite(Float32Array.of(0, 3e38, -1))).toBe(-1);
    expect(firstNonFinite(Float32Array.of(0, NaN, Infinity))).toBe(1);
    expect(firstNonFinite(Float32Array.of(-Infinity))).toBe(0);
  });

  it.each(['F16', 'BF16'] as const)(
    'finds it wherever it stands among %s, and only there',
    (dtype) => {
      // Numbers are worked on in blocks of 2¹⁷ and four at a time.
      const length = 2 ** 17 + 8;
      const values = new Float32Array(length);
      for (const bad of [0, 3, 2 ** 17 - 1, 2 ** 17, length - 1]) {
        const halves = new Uint16Array(
          encodeFloats(new Float32Array(length).fill(1.5), dtype).buffer,
        );
        halves[bad] = bitsOf(-Infinity, dtype);
        expect(decodeHalves(halves, dtype, values)).toBe(bad);
        expect(firstNonFinite(values)).toBe(bad);
        expect(values.every((value, i) => value === (i === bad ? -Infinity : 1.5))).toBe(true);
      }
      // What is left over from a longer array is not looked at.
      expect(float32Loop(new Uint32Array(2 ** 17 + 8).fill(0x7f800000))).toBe(true);
      expect(float32Loop(new Uint32Array(5))).toBe(false);
      for (const few of [1, 2, 3, 5]) {
        const halves = new Uint16Array(encodeFloats(new Float32Array(few).fill(2), dtype).buffer);
        expect(decodeHalves(halves, dtype, new Float32Array(few))).toBe(-1);
      }
    },
  );

  it.each(['F32', 'F16', 'BF16'] as const)('finds it in the bytes of %s too', (dtype) => {
    const bytesOf = (...values: number[]) => encodeFloats(Float32Array.from(values), dtype);
    expect(firstNonFiniteIn(bytesOf(0, -0, 6e4, -6e4, 1e-40), dtype)).toBe(-1);
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(firstNonFiniteIn(bytesOf(1, bad, bad), dtype)).toBe(1);
    }
    // Pieces of a file may begin anywhere in memory.
    const moved = Uint8Array.of(0, ...bytesOf(1, NaN)).subarray(1);
    expect(firstNonFiniteIn(moved, dtype)).toBe(1);
  });
});
