/** Writing the safetensors format: whole or not at all. */
import { assert, CfsError } from '../errors.js';
import { writeFileAtomicFrom } from '../files.js';
import { encodeFloats, firstNonFiniteIn, isFloatDtype } from './dtype.js';
import type { FloatDtype } from './dtype.js';
import { byteLength, elementSize, encodeHeader, type TensorSpec } from './safetensorsHeader.js';

/** Bytes per conversion. Divisible by every element size. */
const pieceBytes = 16 * 1024 * 1024;

/**
 * Writes a safetensors file, tensor by tensor, to a temporary name that is then renamed. `data`
 * is asked for each tensor's numbers (row-major; rounded to the tensor's dtype) or its bytes.
 * `onBytes` is given everything that is written. Throws `WRITE_FAILED`, and `WEIGHTS_NOT_FINITE` rather than write NaN or infinity.
 */
export function writeSafetensors(
  file: string,
  tensors: readonly TensorSpec[],
  data: (tensor: TensorSpec) => Float32Array | Iterable<Uint8Array>,
  onBytes?: (bytes: Uint8Array) => void,
): void {
  // Widest elements first keeps every tensor aligned to its element size, as the reference does.
  const ordered = tensors.toSorted(
    (a, b) => elementSize(b) - elementSize(a) || (a.name < b.name ? -1 : Number(a.name > b.name)),
  );
  writeFileAtomicFrom(file, watched());

  function* watched(): Generator<Uint8Array> {
    for (const part of parts(file, ordered, data)) {
      onBytes?.(part);
      yield part;
    }
  }
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
    const bad = firstNonFiniteIn(bytes, dtype);
    if (bad >= 0) throw notFiniteInWrite(file, name, dtype, values[start + bad]);
    yield bytes;
  }
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
