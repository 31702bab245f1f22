/**
 * Half-precision numbers in bytes and back: JavaScript has no 16-bit float arrays, and weights on
 * disk mostly are F16 or BF16. Bit tricks and one table, because whole models pass through here.
 * Bytes are little-endian, as in the file and on every machine ONNX Runtime ships for.
 */
import { defined } from '../errors.js';
import { roundToBf16, roundToF16 } from '../graph/index.js';

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

/** Writes 16-bit floats to as many elements of `values`. */
export function decodeHalves(
  halves: Uint16Array,
  dtype: Exclude<FloatDtype, 'F32'>,
  values: Float32Array,
): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, halves.length);
  if (dtype === 'BF16') {
    for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  } else {
    const table = halfTable();
    for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] as number] as number;
  }
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
  // An exponent of ones alone carries into the sign when one is added to it: no branch per number.
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let carries = 0;
  for (let i = 0; i < bits.length; i++) {
    carries |= (((bits[i] as number) & 0x7f800000) + 0x00800000) | 0;
  }
  return carries >= 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

/** The bits that are all set in NaN and infinity, and in nothing else. */
const exponents: Record<FloatDtype, number> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/** `firstNonFinite` of elements as they stand in a file, without making numbers of them. */
export function firstNonFiniteIn(bytes: Uint8Array, dtype: FloatDtype): number {
  const aligned = bytes.byteOffset % floatBytes[dtype] === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  const length = aligned.byteLength / floatBytes[dtype];
  const words =
    dtype === 'F32'
      ? new Uint32Array(buffer, byteOffset, length)
      : new Uint16Array(buffer, byteOffset, length);
  const exponent = exponents[dtype];
  for (let i = 0; i < length; i++) {
    if (((words[i] as number) & exponent) === exponent) return i;
  }
  return -1;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

let table: Uint32Array | undefined;

/** float32 bits of each of the 65,536 halves, `[65536]`; made on first use. */
function halfTable(): Uint32Array {
  table ??= Uint32Array.from({ length: 0x10000 }, (_, half) => halfToBits(half));
  return table;
}

function halfToBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  scratch[0] = mantissa * 2 ** -24;
  return sign | defined(scratchBits[0], 'scratch word');
}
