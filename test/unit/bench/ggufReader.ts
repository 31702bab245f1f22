/** A tiny GGUF reader, written from the format's description, to read back what we write. */
import { decodeFloats } from '../../../src/model/dtype.js';

export interface GgufContent {
  version: number;
  metadata: Record<string, unknown>;
  tensors: Record<string, { shape: number[]; offset: number; data: Float32Array }>;
}

const dtypes: Record<number, 'F32' | 'F16' | 'Q8_0' | 'BF16'> = {
  0: 'F32',
  1: 'F16',
  8: 'Q8_0',
  30: 'BF16',
};

export function readGguf(bytes: Uint8Array): GgufContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (size: number): number => {
    at += size;
    return at - size;
  };
  const uint32 = (): number => view.getUint32(take(4), true);
  const uint64 = (): number => Number(view.getBigUint64(take(8), true));
  const text = (length: number): string => {
    const from = take(length);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, from + length));
  };
  const value = (type: number): unknown => {
    if (type === 4) return uint32();
    if (type === 5) return view.getInt32(take(4), true);
    if (type === 6) return view.getFloat32(take(4), true);
    if (type === 7) return view.getUint8(take(1)) === 1;
    if (type === 8) return text(uint64());
    if (type !== 9) throw new Error(`GGUF value type ${type}`);
    const of = uint32();
    return Array.from({ length: uint64() }, () => value(of));
  };

  if (text(4) !== 'GGUF') throw new Error('not a GGUF file');
  const version = uint32();
  const tensorCount = uint64();
  const entries = uint64();
  const metadata: Record<string, unknown> = {};
  for (let i = 0; i < entries; i++) metadata[text(uint64())] = value(uint32());
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text(uint64());
    const shape = Array.from({ length: uint32() }, uint64).reverse();
    return { name, shape, type: uint32(), offset: uint64() };
  });
  const start = Math.ceil(at / 32) * 32;
  const tensors: GgufContent['tensors'] = {};
  for (const { name, shape, type, offset } of infos) {
    const dtype = dtypes[type];
    if (dtype === undefined) throw new Error(`GGUF tensor type ${type}`);
    const count = shape.reduce((a, b) => a * b, 1);
    const part = (length: number): Uint8Array =>
      bytes.slice(start + offset, start + offset + length);
    const data =
      dtype === 'Q8_0'
        ? dequantize(part((count / 32) * 34))
        : decodeFloats(part(count * (dtype === 'F32' ? 4 : 2)), dtype);
    tensors[name] = { shape, offset, data };
  }
  return { version, metadata, tensors };
}

/** Blocks of a scale in F16 and 32 signed bytes. */
function dequantize(bytes: Uint8Array): Float32Array {
  const data = new Float32Array((bytes.length / 34) * 32);
  for (let block = 0; block < bytes.length / 34; block++) {
    const at = block * 34;
    const scale = decodeFloats(bytes.slice(at, at + 2), 'F16')[0] ?? NaN;
    new Int8Array(bytes.slice(at + 2, at + 34).buffer).forEach((value, i) => {
      data[block * 32 + i] = scale * value;
    });
  }
  return data;
}
