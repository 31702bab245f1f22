/**
 * The safetensors format, read with suspicion and written whole or not at all. Everything a header
 * claims is checked against the file before anything is allocated for it, so a truncated download
 * or a hostile file gives one clear error. Tensors are read one by one, in pieces, so a file of
 * many GB never lies in memory.
 *
 * Format: 8 bytes header length (u64, little-endian), that many bytes of JSON, then the data; the
 * tensors' byte ranges must cover the data exactly (github.com/huggingface/safetensors).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { assert, CfsError, defined, messageOf } from '../errors.js';
import { writeFileAtomicFrom } from '../files.js';
import { decodeFloats, encodeFloats, firstNonFinite, floatBytes, isFloatDtype } from './dtype.js';
import type { FloatDtype } from './dtype.js';
import { own } from '../own.js';

export interface TensorInfo {
  /** As written in the file: `F32`, `BF16`, `I64`, … */
  dtype: string;
  shape: readonly number[];
}

/** One checked file. Nothing stays open between calls. */
export interface SafetensorsFile {
  file: string;
  /** In the order of the file's header. */
  names(): string[];
  has(name: string): boolean;
  /** Throws `TENSOR_MISSING`. */
  info(name: string): TensorInfo;
  /** Bytes of a tensor in the file. Throws `TENSOR_MISSING`. */
  byteLength(name: string): number;
  /** A tensor as float32, flat and row-major. Throws `TENSOR_MISSING`, `TENSOR_DTYPE`. */
  read(name: string): Float32Array;
  /** A tensor's bytes as they stand in the file, whatever its dtype, in pieces. */
  readBytes(name: string): Iterable<Uint8Array>;
}

/** A tensor to write: any dtype when its bytes are given, a float one when its numbers are. */
export interface TensorSpec extends TensorInfo {
  name: string;
}

interface Entry extends TensorInfo {
  /** Byte range from the start of the file. */
  begin: number;
  end: number;
}

/** The reference implementation's own limit. */
const largestHeader = 100_000_000;
/** Bytes per read and per conversion. Divisible by every element size. */
const pieceBytes = 16 * 1024 * 1024;

const elementBytes: Record<string, number> = {
  ...floatBytes,
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1 },
  ...{ U16: 2, I16: 2, U32: 4, I32: 4, U64: 8, I64: 8, F64: 8, C64: 8 },
};

const headerSchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/**
 * Opens `file` and checks its header. Throws `SAFETENSORS_INVALID` (with the tensor's name as
 * field) or `MODEL_FILE_UNREADABLE`.
 */
export function openSafetensors(file: string): SafetensorsFile {
  const entries = readHeader(file);
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw missingTensor(file, name);
    return entry;
  };
  return {
    file,
    names: () => [...entries.keys()],
    has: (name) => entries.has(name),
    info: (name) => {
      const { dtype, shape } = entryOf(name);
      return { dtype, shape };
    },
    byteLength: (name) => entryOf(name).end - entryOf(name).begin,
    read: (name) => readTensor(file, name, entryOf(name)),
    readBytes: (name) => readPieces(file, entryOf(name)),
  };
}

/**
 * Writes a safetensors file, tensor by tensor, to a temporary name that is then renamed. `data`
 * is asked for each tensor's numbers (row-major; rounded to the tensor's dtype) or its bytes.
 * Throws `WRITE_FAILED`, and `WEIGHTS_NOT_FINITE` rather than write NaN or infinity.
 */
export function writeSafetensors(
  file: string,
  tensors: readonly TensorSpec[],
  data: (tensor: TensorSpec) => Float32Array | Iterable<Uint8Array>,
): void {
  // Widest elements first keeps every tensor aligned to its element size, as the reference does.
  const ordered = tensors.toSorted(
    (a, b) => sizeOf(b) - sizeOf(a) || (a.name < b.name ? -1 : Number(a.name > b.name)),
  );
  writeFileAtomicFrom(file, parts(file, ordered, data));
}

function* parts(
  file: string,
  tensors: readonly TensorSpec[],
  data: (tensor: TensorSpec) => Float32Array | Iterable<Uint8Array>,
): Generator<Uint8Array> {
  yield encodeHeader(tensors);
  for (const tensor of tensors) {
    const content = data(tensor);
    const pieces = content instanceof Float32Array ? encode(file, tensor, content) : content;
    let written = 0;
    for (const piece of pieces) {
      written += piece.length;
      yield piece;
    }
    assert(written === byteLength(tensor), `${written} bytes for tensor ${tensor.name}`);
  }
}

function* encode(file: string, tensor: TensorSpec, values: Float32Array): Generator<Uint8Array> {
  const { dtype, name } = tensor;
  assert(isFloatDtype(dtype), `numbers for tensor ${name} of dtype ${dtype}`);
  for (let start = 0; start < values.length; start += pieceBytes / 4) {
    const bytes = encodeFloats(values.subarray(start, start + pieceBytes / 4), dtype);
    const bad = firstNonFinite(decodeFloats(bytes, dtype));
    if (bad >= 0) throw notFiniteInWrite(file, name, dtype, values[start + bad]);
    yield bytes;
  }
}

function encodeHeader(tensors: readonly TensorSpec[]): Uint8Array {
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

function sizeOf(tensor: TensorSpec): number {
  return defined(own(elementBytes, tensor.dtype), `element size of ${tensor.dtype}`);
}

function byteLength(tensor: TensorSpec): number {
  return tensor.shape.reduce((product, size) => product * size, sizeOf(tensor));
}

function readHeader(file: string): Map<string, Entry> {
  const descriptor = openForReading(file);
  try {
    return readEntries(file, descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

function readEntries(file: string, descriptor: number, size: number): Map<string, Entry> {
  if (size < 8) throw invalid(file, `it has only ${size} bytes`);
  const prefix = readExactly(file, descriptor, 0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > largestHeader) throw invalid(file, `its header claims to be ${length} bytes long`);
  if (8 + length > size) {
    throw invalid(file, `it ends inside its header (${size} bytes, header of ${length})`);
  }
  const header = parseHeader(file, readExactly(file, descriptor, 8, length));
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    entries.set(name, checkEntry(file, name, value, 8 + length, size));
  }
  checkCover(file, entries, 8 + length, size);
  return entries;
}

function parseHeader(file: string, bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
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

function readTensor(file: string, name: string, entry: Entry): Float32Array {
  const { dtype, shape } = entry;
  if (!isFloatDtype(dtype)) throw unreadableDtype(file, name, dtype);
  const values = allocate(file, name, (entry.end - entry.begin) / floatBytes[dtype], shape);
  let position = 0;
  for (const piece of readPieces(file, entry)) {
    const decoded = decodeFloats(piece, dtype);
    values.set(decoded, position);
    position += decoded.length;
  }
  return values;
}

/** `TENSOR_DTYPE`, for a tensor whose numbers are asked for. */
export function unreadableDtype(file: string, name: string, dtype: string): CfsError {
  return new CfsError({
    code: 'TENSOR_DTYPE',
    message: `Tensor "${name}" is ${dtype}; only F32, F16 and BF16 weights can be read.`,
    remedy: 'Use the unquantized version of the model.',
    place: { file, field: name },
  });
}

function allocate(
  file: string,
  name: string,
  length: number,
  shape: readonly number[],
): Float32Array {
  try {
    return new Float32Array(length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CfsError({
      code: 'OUT_OF_MEMORY',
      message: `Tensor "${name}" [${shape.join(', ')}] does not fit into memory.`,
      remedy: 'Close other programs, or use a smaller model.',
      place: { file, field: name },
      cause: error,
    });
  }
}

function* readPieces(file: string, entry: Entry): Generator<Uint8Array> {
  const descriptor = openForReading(file);
  try {
    for (let at = entry.begin; at < entry.end; at += pieceBytes) {
      yield readExactly(file, descriptor, at, Math.min(pieceBytes, entry.end - at));
    }
  } finally {
    closeSync(descriptor);
  }
}

function readExactly(file: string, descriptor: number, position: number, length: number) {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSome(file, descriptor, bytes.subarray(done), position + done);
    if (count === 0) throw invalid(file, 'it became shorter while it was read');
    done += count;
  }
  return bytes;
}

function readSome(file: string, descriptor: number, into: Uint8Array, position: number): number {
  try {
    return readSync(descriptor, into, 0, into.length, position);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function openForReading(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): CfsError {
  return new CfsError({
    code: 'MODEL_FILE_UNREADABLE',
    message: `Could not read the weights: ${messageOf(cause)}.`,
    remedy: 'Check the file and its permissions.',
    place: { file },
    cause,
  });
}

function invalid(file: string, why: string, field?: string): CfsError {
  return new CfsError({
    code: 'SAFETENSORS_INVALID',
    message: `Not a valid safetensors file: ${why}.`,
    remedy: 'Download the file again; it is damaged or incomplete.',
    place: { file, field },
  });
}

function missingTensor(file: string, name: string): CfsError {
  return new CfsError({
    code: 'TENSOR_MISSING',
    message: `The weights have no tensor "${name}".`,
    remedy: 'Check that all files of the model are there and match its config.json.',
    place: { file, field: name },
  });
}

function notFiniteInWrite(
  file: string,
  name: string,
  dtype: FloatDtype,
  value: number | undefined,
): CfsError {
  return new CfsError({
    code: 'WEIGHTS_NOT_FINITE',
    message: `Tensor "${name}" contains ${value}, which is not a finite ${dtype} number; nothing was saved.`,
    remedy: 'Go back to an earlier checkpoint and lower the learning rate.',
    place: { file, field: name },
  });
}
