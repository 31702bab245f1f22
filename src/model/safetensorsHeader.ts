/**
 * The header of a safetensors file: everything it claims is checked against the file before anything
 * is allocated for it, so that a truncated download or a hostile file gives one clear error.
 *
 * Format: 8 bytes header length (u64, little-endian), that many bytes of JSON, then the data; the
 * tensors' byte ranges must cover the data exactly (github.com/huggingface/safetensors).
 */
import { z } from 'zod';
import { CfsError, defined, messageOf } from '../errors.js';
import { JsonFault, parseJson } from '../json.js';
import { own } from '../own.js';
import { floatBytes } from './dtype.js';

export interface TensorInfo {
  /** As written in the file: `F32`, `BF16`, `I64`, … */
  dtype: string;
  shape: readonly number[];
}

/** A tensor to write: any dtype when its bytes are given, a float one when its numbers are. */
export interface TensorSpec extends TensorInfo {
  name: string;
}

export interface Entry extends TensorInfo {
  /** Byte range from the start of the file. */
  begin: number;
  end: number;
}

/** The reference implementation's own limit, in bytes. */
const largestHeader = 100_000_000;
/** Of one file; the largest models have some 200,000 in all of their files. */
const mostTensors = 200_000;
/** Numbers in a shape; NumPy and PyTorch have 64 at most. */
const mostDimensions = 64;
const elementBytes: Record<string, number> = {
  ...floatBytes,
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1 },
  ...{ U16: 2, I16: 2, U32: 4, I32: 4, U64: 8, I64: 8, F64: 8, C64: 8 },
};

const headerSchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(mostDimensions),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/**
 * The tensors of a file of `size` bytes, of which `readAt` reads some, by name. Throws
 * `SAFETENSORS_INVALID`.
 */
export function readEntries(
  file: string,
  size: number,
  readAt: (position: number, length: number) => Uint8Array<ArrayBuffer>,
): Map<string, Entry> {
  if (size < 8) throw invalid(file, `it has only ${size} bytes`);
  const prefix = readAt(0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > largestHeader) throw invalid(file, `its header claims to be ${length} bytes long`);
  if (8 + length > size) {
    throw invalid(file, `it ends inside its header (${size} bytes, header of ${length})`);
  }
  const header = Object.entries(parseHeader(file, readAt(8, length)));
  if (header.length > mostTensors) {
    throw invalid(file, `its header lists ${header.length} tensors, more than ${mostTensors}`);
  }
  const entries = new Map<string, Entry>();
  for (const [name, value] of header) {
    if (name === '__metadata__') continue;
    entries.set(name, checkEntry(file, name, value, 8 + length, size));
  }
  checkCover(file, entries, 8 + length, size);
  return entries;
}

function parseHeader(file: string, bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof JsonFault) throw invalid(file, `in its header, ${error.message}`);
    throw invalid(file, `its header is not JSON (${messageOf(error)})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid(file, 'its header is not a JSON object');
  }
  return header;
}

function checkEntry(
  file: string,
  name: string,
  value: unknown,
  dataStart: number,
  fileSize: number,
): Entry {
  const parsed = headerSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.join('.') ?? '';
    throw invalid(file, `tensor "${name}", ${path}: ${issue?.message ?? 'is malformed'}`, name);
  }
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  const bytesPerElement = own(elementBytes, dtype);
  if (bytesPerElement === undefined) {
    throw invalid(file, `tensor "${name}" has the unknown dtype "${dtype}"`, name);
  }
  const bytes = shape.includes(0)
    ? 0
    : shape.reduce((product, size) => product * size, bytesPerElement);
  if (!Number.isSafeInteger(bytes)) {
    throw invalid(file, `tensor "${name}" has the absurd shape [${shape.join(', ')}]`, name);
  }
  const [begin, end] = offsets;
  if (end - begin !== bytes) {
    const room = `${bytes} bytes, but its range [${begin}, ${end}] holds ${end - begin}`;
    throw invalid(file, `tensor "${name}" of ${dtype} [${shape.join(', ')}] needs ${room}`, name);
  }
  if (dataStart + end > fileSize) {
    const why = `tensor "${name}" ends ${dataStart + end - fileSize} bytes behind the file's end`;
    throw invalid(file, `${why}; the file is cut short`, name);
  }
  return { dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** The format demands that the tensors cover the data with no overlap, hole or remainder. */
function checkCover(
  file: string,
  entries: Map<string, Entry>,
  dataStart: number,
  fileSize: number,
): void {
  const sorted = [...entries].toSorted(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let position = dataStart;
  for (const [name, { begin, end }] of sorted) {
    if (begin < position) throw invalid(file, `tensor "${name}" overlaps another one`, name);
    if (begin > position) {
      throw invalid(file, `${begin - position} bytes before "${name}" belong to no tensor`, name);
    }
    position = end;
  }
  if (position !== fileSize) {
    throw invalid(file, `its last ${fileSize - position} bytes belong to no tensor`);
  }
}

/** The header of a file that holds these tensors one after the other. */
export function encodeHeader(tensors: readonly TensorSpec[]): Uint8Array {
  const header: [string, unknown][] = [['__metadata__', { format: 'pt' }]];
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + byteLength(tensor);
    const { name, dtype, shape } = tensor;
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

/** Bytes of one element. */
export function elementSize(tensor: TensorSpec): number {
  return defined(own(elementBytes, tensor.dtype), `element size of ${tensor.dtype}`);
}

/** Bytes of a tensor in a file. */
export function byteLength(tensor: TensorSpec): number {
  return tensor.shape.reduce((product, size) => product * size, elementSize(tensor));
}

/** `SAFETENSORS_INVALID`. */
export function invalid(file: string, why: string, field?: string): CfsError {
  return new CfsError({
    code: 'SAFETENSORS_INVALID',
    message: `Not a valid safetensors file: ${why}.`,
    remedy: 'Download the file again; it is damaged or incomplete.',
    place: { file, field },
  });
}
