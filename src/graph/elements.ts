/**
 * The element types of tensors: how many bytes an element takes and how a number becomes one.
 * JavaScript has no 16-bit float arrays, so such tensors are bits in a `Uint16Array`.
 */
import { defined } from '../errors.js';
import type { ElementType } from './onnxSchema.js';

export type FloatType = 'float32' | 'float16' | 'bfloat16';

/** Elements as JavaScript holds them; a `Uint16Array` holds the bits of a 16-bit float type. */
export type TensorData = Float32Array | Uint16Array | Int32Array | BigInt64Array;

export const elementBytes: Readonly<Record<ElementType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
};

export function isFloat(type: ElementType): type is FloatType {
  return type === 'float32' || type === 'float16' || type === 'bfloat16';
}

/** `values` as elements of `type`, rounded to nearest; there are no boolean constants. */
export function elementsOf(values: readonly number[], type: ElementType): TensorData {
  switch (type) {
    case 'float32':
      return Float32Array.from(values);
    case 'float16':
      return Uint16Array.from(values, (value) => roundToF16(floatBits(value)));
    case 'bfloat16':
      return Uint16Array.from(values, (value) => roundToBf16(floatBits(value)));
    case 'int32':
      return Int32Array.from(values);
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'bool':
      throw new Error('There are no boolean constants');
  }
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

function floatBits(value: number): number {
  scratch[0] = value;
  return defined(scratchBits[0], 'scratch word');
}

/** The bits of a float32 as those of the nearest bfloat16, ties to even. */
export function roundToBf16(bits: number): number {
  // A NaN whose payload lies in the low half would turn into infinity: keep it quiet instead.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/**
 * The bits of a float32 as those of the nearest float16, ties to even; too large becomes infinity.
 * After F. Giesen's `float_to_half_fast3_rtne` (public domain).
 */
export function roundToF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14: adding 0.5 makes the float32 adder round to the subnormals' spacing of 2^-24.
    scratchBits[0] = magnitude;
    scratch[0] = (scratch[0] as number) + 0.5;
    return sign | (defined(scratchBits[0], 'scratch word') - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}
