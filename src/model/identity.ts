/** What a model is, by content: the hash by which a run knows its base model again. */
import { createHash } from 'node:crypto';
import type { ModelFolder } from './folder.js';
import type { Parameter } from './weights.js';

/**
 * SHA-256 over name, dtype, shape and bytes of every parameter: the same for the same weights,
 * however they are cut into files. Reads all of them once.
 */
export function hashWeights({ tensors }: ModelFolder, parameters: readonly Parameter[]): string {
  const hash = createHash('sha256');
  for (const { name } of parameters) {
    const { dtype, shape } = tensors.info(name);
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    for (const piece of tensors.readBytes(name)) hash.update(piece);
  }
  return hash.digest('hex');
}
