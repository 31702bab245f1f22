/**
 * Reading the safetensors format: tensors one by one, in pieces, so that a file of many GB never lies
 * in memory.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { assert, CfsError, defined, messageOf } from '../errors.js';
import { openFile, openFileAsync } from '../reading.js';
import { touch } from '../touch.js';
import { decodeFloats, decodeHalves, firstNonFinite, floatBytes, isFloatDtype } from './dtype.js';
import { invalid, readEntries, type Entry, type TensorInfo } from './safetensorsHeader.js';

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
  /**
   * The same into memory that is there, while other work goes on. Resolves to the index of the first
   * NaN or infinity, −1 where there is none.
   */
  readInto(name: string, values: Float32Array): Promise<number>;
  /** A tensor's bytes as they stand in the file, whatever its dtype, in pieces. */
  readBytes(name: string): Iterable<Uint8Array>;
}

/** Bytes per read. Divisible by every element size. */
const pieceBytes = 16 * 1024 * 1024;

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
    readInto: (name, values) => readTensorInto(file, name, entryOf(name), values),
    readBytes: (name) => readPieces(file, entryOf(name)),
  };
}

function readHeader(file: string): Map<string, Entry> {
  const descriptor = openForReading(file);
  try {
    return readEntries(file, fstatSync(descriptor).size, (position, length) =>
      readExactly(file, descriptor, position, length),
    );
  } finally {
    closeSync(descriptor);
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

async function readTensorInto(
  file: string,
  name: string,
  entry: Entry,
  values: Float32Array,
): Promise<number> {
  const { dtype, begin, end } = entry;
  if (!isFloatDtype(dtype)) throw unreadableDtype(file, name, dtype);
  const size = floatBytes[dtype];
  assert(values.length * size === end - begin, `room for tensor ${name}`);
  const step = aheadBytes / size;
  const handle = await openForReadingAsync(file);
  /** Resolves to what is left to do; that returns the index of the first NaN or infinity in the part. */
  const read = async (from: number): Promise<() => number> => {
    const target = values.subarray(from, from + step);
    const position = begin + from * size;
    if (dtype === 'F32') {
      await readExactlyInto(file, handle, position, bytesOf(target));
      return () => firstNonFinite(target);
    }
    const room = spareRooms.pop() ?? new Uint16Array(step);
    const halves = room.subarray(0, target.length);
    await Promise.all([
      readExactlyInto(file, handle, position, bytesOf(halves)),
      // Decoding on this thread alone would wait for each page of fresh memory.
      touch(target),
    ]);
    return () => {
      const found = decodeHalves(halves, dtype, target);
      spareRooms.push(room);
      return found;
    };
  };
  // The next parts are read while one is decoded and looked at, in the processor's cache.
  const reads: Promise<() => number>[] = [];
  const readNext = (from: number): void => {
    if (from < values.length) reads.push(read(from));
  };
  try {
    for (let i = 0; i < readsAhead; i++) readNext(i * step);
    let bad = -1;
    for (let from = 0; from < values.length; from += step) {
      const finish = await defined(reads.shift(), 'part that is read');
      readNext(from + readsAhead * step);
      const found = finish();
      if (bad < 0 && found >= 0) bad = from + found;
    }
    return bad;
  } finally {
    // After an error, the file stays open until nothing reads from it.
    await Promise.allSettled(reads);
    await handle.close();
  }
}

/** Memory of earlier reads: touching fresh memory takes longer than reading. */
const spareRooms: Uint16Array[] = [];
const aheadBytes = 2 * 1024 * 1024;
/** Parts that are read at once: one for each thread that Node.js reads with. */
const readsAhead = 4;

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
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
    if (count === 0) throw shortened(file);
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

async function readExactlyInto(
  file: string,
  handle: FileHandle,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await readAgain();
    if (bytesRead === 0) throw shortened(file);
    done += bytesRead;

    async function readAgain() {
      try {
        return await handle.read(bytes, done, bytes.length - done, position + done);
      } catch (error) {
        throw unreadable(file, error);
      }
    }
  }
}

async function openForReadingAsync(file: string): Promise<FileHandle> {
  try {
    return await openFileAsync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function openForReading(file: string): number {
  try {
    return openFile(file);
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

function shortened(file: string): CfsError {
  return invalid(file, 'it became shorter while it was read');
}

function missingTensor(file: string, name: string): CfsError {
  return new CfsError({
    code: 'TENSOR_MISSING',
    message: `The weights have no tensor "${name}".`,
    remedy: 'Check that all files of the model are there and match its config.json.',
    place: { file, field: name },
  });
}
