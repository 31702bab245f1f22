/**
 * Touches memory for the first time from several threads. The system hands out a page when it is
 * first written to, and clears it then; on a virtual machine, its host may have to find one as well.
 * One thread took 0.6 to 3 s per GiB on ours, two took half of that. JavaScript has one thread, but
 * Node.js reads files with four, so zeros are read into the memory from the device that has nothing
 * else.
 */
import { openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { isSystemError } from './files.js';

const readInto = promisify(read);

/** Bytes per read: many, so that the threads find the next one while JavaScript is busy. */
const pieceBytes = 16 * 1024 * 1024;

/**
 * Writes zeros to all of `values` while other work goes on. Fresh memory is zeros anyway: where there
 * is no such device (Windows), nothing happens.
 */
export async function touch(values: Float32Array): Promise<void> {
  const zeros = zeroDevice();
  if (zeros === undefined) return;
  const { buffer, byteOffset, byteLength } = values;
  const pieces = Array.from({ length: Math.ceil(byteLength / pieceBytes) }, (_, i) => {
    const from = i * pieceBytes;
    const length = Math.min(pieceBytes, byteLength - from);
    // Fewer bytes are as good: whoever writes to the others touches them.
    return readInto(zeros, new Uint8Array(buffer, byteOffset + from, length), 0, length, null);
  });
  await Promise.all(pieces);
}

let known: { zeros: number | undefined } | undefined;

/** A descriptor that stays open. */
function zeroDevice(): number | undefined {
  known ??= { zeros: openIfThere('/dev/zero') };
  return known.zeros;
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
