/**
 * Half-precision numbers in bytes and back: JavaScript has no 16-bit float arrays, and weights on
 * disk mostly are F16 or BF16.
 * Bytes are little-endian, as in the file and on every machine ONNX Runtime ships for.
 */
import { roundToBf16, roundToF16 } from '../graph/index.js';
import { bf16Loop, f16Loop, float32Loop } from './elementLoops.js';

/** The dtypes a weight may have for us; others can lie in a file but not be read as numbers. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Bytes per element of each `FloatDtype`. */
export const floatBytes: Record<FloatDtype, number> = { F32: 4, F16: 2, BF16: 2 };

export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return Object.hasOwn(floatBytes, dtype);
}

/** `bytes` (`[n]` elements of `dtype`) as float32; exact, NaN payloads included. */
export function decodeFloats(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const aligned = bytes.byteOffset % floatBytes[dtype] === 0 ? bytes : bytes.slice();
  if (dtype === 'F32') {
    return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  }
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  const values = new Float32Array(halves.length);
  decodeHalves(halves, dtype, values);
  return values;
}

/**
 * Writes 16-bit floats to as many elements of `values`. Returns the index of the first NaN or infinity,
 * −1 where there is none.
 */
export function decodeHalves(
  halves: Uint16Array,
  dtype: Exclude<FloatDtype, 'F32'>,
  values: Float32Array,
): number {
  return loops[dtype](halves, values) ? firstOf(values) : -1;
}

/** float32 as bytes of `dtype`, rounded to nearest, ties to even; too large becomes infinity. */
export function encodeFloats(values: Float32Array, dtype: FloatDtype): Uint8Array {
  if (dtype === 'F32') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const round = dtype === 'BF16' ? roundToBf16 : roundToF16;
  for (let i = 0; i < bits.length; i++) halves[i] = round(bits[i] as number);
  return new Uint8Array(halves.buffer);
}

/** Index of the first NaN or infinity, −1 when all are finite. */
export function firstNonFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return float32Loop(bits) ? firstOf(values) : -1;
}

function firstOf(values: Float32Array): number {
  return values.findIndex((value) => !Number.isFinite(value));
}

/** `firstNonFinite` of elements as they stand in a file, without keeping numbers of them. */
export function firstNonFiniteIn(bytes: Uint8Array, dtype: FloatDtype): number {
  const aligned = bytes.byteOffset % floatBytes[dtype] === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  const length = aligned.byteLength / floatBytes[dtype];
  const elements =
    dtype === 'F32'
      ? new Uint32Array(buffer, byteOffset, length)
      : new Uint16Array(buffer, byteOffset, length);
  return loops[dtype](elements) ? firstOf(decodeFloats(aligned, dtype)) : -1;
}

const loops = { F32: float32Loop, F16: f16Loop, BF16: bf16Loop };
