/** Reading and writing safetensors: round trips, broken headers one by one, and seeded damage. */
import { closeSync, existsSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CfsError } from '../../../src/errors.js';
import { openSafetensors } from '../../../src/model/safetensors.js';
import { writeSafetensors } from '../../../src/model/safetensorsWriter.js';
import type { TensorSpec } from '../../../src/model/safetensorsHeader.js';
import { createRandom } from '../../../src/random.js';
import type { Random } from '../../../src/random.js';
import { caught, rawSafetensors, temporaryFolder } from './folderFixture.js';

// Whatever a test leaves behind when it fails.
afterEach(() => vi.unstubAllGlobals());

const folder = temporaryFolder();
const file = join(folder, 'x.safetensors');

function openBytes(bytes: Uint8Array): ReturnType<typeof openSafetensors> {
  writeFileSync(file, bytes);
  return openSafetensors(file);
}

function f32(begin: number, end: number, shape = [(end - begin) / 4]): object {
  return { dtype: 'F32', shape, data_offsets: [begin, end] };
}

const specs: TensorSpec[] = [
  { name: 'half', dtype: 'F16', shape: [3] },
  { name: 'norm', dtype: 'F32', shape: [2, 2] },
  { name: 'brain', dtype: 'BF16', shape: [1, 5] },
  { name: 'scalar', dtype: 'F32', shape: [] },
  { name: 'empty', dtype: 'F32', shape: [0, 7] },
];
const numbers: Record<string, number[]> = {
  half: [1, -0.5, 65504],
  norm: [1, 2, 3, 1e-40],
  brain: [1, 2, 3, 4, -5],
  scalar: [42],
  empty: [],
};

function writeSpecs(target: string): void {
  writeSafetensors(target, specs, ({ name }) => Float32Array.from(numbers[name] ?? []));
}

describe('safetensors', () => {
  it('reads back what it wrote, in every float dtype', () => {
    writeSpecs(file);
    const opened = openSafetensors(file);
    expect(opened.names().toSorted()).toEqual(Object.keys(numbers).toSorted());
    for (const { name, dtype, shape } of specs) {
      expect(opened.info(name)).toEqual({ dtype, shape });
      expect([...opened.read(name)]).toEqual([...Float32Array.from(numbers[name] ?? [])]);
    }
    expect(readFileSync(file).readBigUInt64LE(0) % 8n).toBe(0n);
  });

  it('writes and reads a tensor larger than one piece', () => {
    const length = 9_000_001;
    const values = Float32Array.from({ length }, (_, i) => i % 251);
    writeSafetensors(file, [{ name: 'w', dtype: 'BF16', shape: [length] }], () => values);
    const read = openSafetensors(file).read('w');
    expect(read.length).toBe(length);
    expect(read.findIndex((value, i) => value !== values[i])).toBe(-1);
  });

  it('reads a tensor that lies behind 5 GiB of others without reading those', () => {
    const gap = 5 * 1024 ** 3;
    const header = {
      big: { dtype: 'U8', shape: [gap], data_offsets: [0, gap] },
      small: f32(gap, gap + 8),
    };
    const bytes = rawSafetensors(header, 0);
    const descriptor = openSync(file, 'w');
    writeSync(descriptor, bytes);
    ftruncateSync(descriptor, bytes.length + gap);
    writeSync(descriptor, new Uint8Array(Float32Array.of(7, 8).buffer), 0, 8, bytes.length + gap);
    closeSync(descriptor);
    expect([...openSafetensors(file).read('small')]).toEqual([7, 8]);
    truncateSync(file);
  });

  it('names the tensor whose dtype cannot be read, and gives its bytes', () => {
    const header = { mask: { dtype: 'BOOL', shape: [4], data_offsets: [0, 4] } };
    const opened = openBytes(rawSafetensors(header, Uint8Array.of(1, 0, 1, 1)));
    expect(caught(() => opened.read('mask'))).toMatchObject({
      code: 'TENSOR_DTYPE',
      place: { file, field: 'mask' },
    });
    expect([...opened.readBytes('mask')]).toEqual([Uint8Array.of(1, 0, 1, 1)]);
    expect(caught(() => opened.read('other')).code).toBe('TENSOR_MISSING');
  });

  const huge = Number.MAX_SAFE_INTEGER;
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /only 0 bytes/],
    ['a file without data', new Uint8Array(7), /only 7 bytes/],
    ['an absurd header length', new Uint8Array(64).fill(0xff), /claims to be/],
    ['a header longer than the file', Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123), /inside/],
    ['a header that is not JSON', rawSafetensors('{"a":', 0), /not JSON/],
    ['a header that is not UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), /not JSON/],
    ['a header that is a list', rawSafetensors([], 0), /not a JSON object/],
    ['an entry without a shape', rawSafetensors({ a: { dtype: 'F32' } }, 0), /"a", shape/],
    ['a negative size', rawSafetensors({ a: f32(0, 4, [-1]) }, 4), /"a", shape\.0/],
    ['a fractional size', rawSafetensors({ a: f32(0, 4, [1.5]) }, 4), /"a", shape\.0/],
    ['a shape that overflows', rawSafetensors({ a: f32(0, 4, [huge, huge]) }, 4), /absurd shape/],
    ['offsets that run backwards', rawSafetensors({ a: f32(4, 0, [1]) }, 4), /holds -4/],
    ['a range of the wrong length', rawSafetensors({ a: f32(0, 8, [1]) }, 8), /needs 4 bytes/],
    ['an unknown dtype', rawSafetensors({ a: { ...f32(0, 4), dtype: 'Q4' } }, 4), /unknown dtype/],
    [
      'a dtype of the prototype',
      rawSafetensors({ a: { ...f32(0, 4), dtype: 'toString' } }, 4),
      /un/,
    ],
    ['overlapping tensors', rawSafetensors({ a: f32(0, 8), b: f32(4, 12) }, 12), /overlaps/],
    ['two tensors in one place', rawSafetensors({ a: f32(0, 8), b: f32(0, 8) }, 8), /overlaps/],
    ['a hole', rawSafetensors({ a: f32(0, 4), b: f32(8, 12) }, 12), /4 bytes before "b"/],
    ['a hole at the start', rawSafetensors({ a: f32(4, 8) }, 8), /4 bytes before "a"/],
    ['bytes left over', rawSafetensors({ a: f32(0, 4) }, 9), /last 5 bytes/],
    ['truncated data', rawSafetensors({ a: f32(0, 4), b: f32(4, 12) }, 9), /3 bytes behind/],
    [
      'the name __proto__',
      rawSafetensors('{"__proto__":{"dtype":"F32"}}', 0),
      /"__proto__", shape/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    const error = caught(() => openBytes(bytes));
    expect(error.code).toBe('SAFETENSORS_INVALID');
    expect(error.message).toMatch(message);
    expect(error.place.file).toBe(file);
  });

  it('says so when the file cannot be opened', () => {
    expect(caught(() => openSafetensors(join(folder, 'none'))).code).toBe('MODEL_FILE_UNREADABLE');
    expect(caught(() => openSafetensors(folder)).code).toBe('MODEL_FILE_UNREADABLE');
  });

  it('says so when a tensor does not fit into memory', () => {
    writeSpecs(file);
    const opened = openSafetensors(file);
    vi.stubGlobal('Float32Array', function () {
      throw new RangeError('Array buffer allocation failed');
    });
    const error = caught(() => opened.read('norm'));
    vi.unstubAllGlobals();
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', place: { file, field: 'norm' } });
    expect(error.message).toContain('[2, 2]');
  });

  it('notices a file that became shorter after it was opened', () => {
    writeSpecs(file);
    const opened = openSafetensors(file);
    truncateSync(file, 100);
    expect(() => opened.names().map((name) => opened.read(name))).toThrow(CfsError);
  });

  it.each([NaN, Infinity, 1e6])('does not write %s as F16, and leaves the old file', (value) => {
    const target = join(folder, 'kept.safetensors');
    writeFileSync(target, 'old');
    const error = caught(() =>
      writeSafetensors(target, [{ name: 'w', dtype: 'F16', shape: [2] }], () =>
        Float32Array.of(1, value),
      ),
    );
    expect(error).toMatchObject({ code: 'WEIGHTS_NOT_FINITE', place: { field: 'w' } });
    expect(readFileSync(target, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('under seeded damage reads or says what is wrong, and allocates little', () => {
    writeSpecs(file);
    const sound = readFileSync(file);
    const random = createRandom(20_250_519);
    const before = process.memoryUsage().arrayBuffers;
    const outcomes = { read: 0, refused: 0 };
    let peak = 0;
    for (let i = 0; i < 1_000; i++) {
      outcomes[readsOrRefuses(damage(sound, random))]++;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    expect(outcomes.read).toBeGreaterThan(20);
    expect(outcomes.refused).toBeGreaterThan(500);
    expect(peak).toBeLessThan(64 * 1024 * 1024);
  });
});

/** Any error but a `CfsError` passes through and fails the test. */
function readsOrRefuses(bytes: Uint8Array): 'read' | 'refused' {
  try {
    const opened = openBytes(bytes);
    for (const name of opened.names()) {
      const pieces = [...opened.readBytes(name)];
      const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
      expect(total).toBeLessThanOrEqual(bytes.length);
      opened.read(name);
    }
    return 'read';
  } catch (error) {
    if (error instanceof CfsError) return 'refused';
    throw error;
  }
}

/** One of: some bytes changed anywhere, digits of the header changed, cut, lengthened, spliced. */
function damage(sound: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(sound);
  const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const kind = random.below(6);
  if (kind === 0) {
    for (let n = random.below(4); n >= 0; n--)
      bytes[random.below(bytes.length)] = random.below(256);
  } else if (kind === 1) {
    const digits = [...bytes.keys()].filter((i) => i >= 8 && i < headerEnd && isDigit(bytes[i]));
    const at = digits[random.below(digits.length)] ?? 8;
    bytes[at] = 0x30 + random.below(10);
  } else if (kind === 2) {
    return bytes.subarray(0, random.below(bytes.length));
  } else if (kind === 3) {
    return Uint8Array.of(...bytes, ...new Uint8Array(1 + random.below(64)));
  } else if (kind === 4) {
    bytes[random.below(8)] = random.below(256);
  } else {
    const at = 8 + random.below(headerEnd - 8);
    const digits = Array.from({ length: 1 + random.below(20) }, () => 0x30 + random.below(10));
    const spliced = Uint8Array.of(...bytes.subarray(0, at), ...digits, ...bytes.subarray(at));
    new DataView(spliced.buffer).setBigUint64(0, BigInt(headerEnd - 8 + digits.length), true);
    return spliced;
  }
  return bytes;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

const real = '../shared/data/models/stories15M/model.safetensors';
describe.skipIf(!existsSync(real))('the real stories15M (needs ../shared)', () => {
  it('has the 15,191,712 parameters that its README states', () => {
    const opened = openSafetensors(real);
    const sizes = opened.names().map((name) => opened.read(name).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(15_191_712);
  });
});
