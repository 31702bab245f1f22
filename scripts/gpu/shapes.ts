/**
 * The models of the GPU check and how much work each is given. Their weights are made on the spot, as
 * a pack of 50 MB cannot hold them: a block of normal numbers again and again, so that gigabytes take
 * seconds, and all sides read the same files.
 */
import { join } from 'node:path';
import { configOf, shapes, tensorsOf, type LlamaShape } from '../../bench/shapes.js';
import type { TokenRow } from '../../src/model/batch.js';
import { writeFileAtomic } from '../../src/files.js';
import { writeSafetensors } from '../../src/model/safetensorsWriter.js';
import { createRandom } from '../../src/random.js';
import type { ShapeName } from './record.js';

/** What is done with a model. */
export interface Work {
  /** A training step and a scoring pass: lines, and tokens in each. */
  batch: number;
  time: number;
  /** Sampling: rows side by side, and tokens written in each. */
  rows: number;
  tokens: number;
  /** Steps and passes that are timed, after one that is not. */
  timed: number;
}

export const work: Record<ShapeName, Work> = {
  demo: { batch: 4, time: 32, rows: 4, tokens: 32, timed: 2 },
  '15M': { batch: 16, time: 128, rows: 32, tokens: 64, timed: 5 },
  '110M': { batch: 16, time: 128, rows: 32, tokens: 64, timed: 4 },
  '350M': { batch: 16, time: 128, rows: 32, tokens: 64, timed: 3 },
  '1.1B': { batch: 16, time: 128, rows: 32, tokens: 64, timed: 2 },
};

/** Those that have to be made. The largest two have the sizes of GPT-2 medium and TinyLlama. */
const made: Partial<Record<ShapeName, LlamaShape>> = {
  '15M': shapes['15M'],
  '110M': shapes['110M'],
  '350M': {
    hidden_size: 1024,
    intermediate_size: 2816,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    vocab_size: 32000,
    tie_word_embeddings: true,
  },
  '1.1B': {
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    vocab_size: 32000,
    tie_word_embeddings: false,
  },
};

/** Writes the model folder of a shape; false for one that lies in the pack. */
export function makeModel(name: ShapeName, folder: string): boolean {
  const shape = made[name];
  if (shape === undefined) return false;
  const random = createRandom(1);
  // A prime length, so that no two rows of a matrix are alike.
  const block = Float32Array.from({ length: 1_048_573 }, () => 0.02 * random.normal());
  let from = 0;
  writeSafetensors(join(folder, 'model.safetensors'), tensorsOf(shape), (tensor) => {
    const size = tensor.shape.reduce((product, length) => product * length, 1);
    const values = new Float32Array(size);
    if (tensor.shape.length === 1) return values.fill(1);
    for (let at = 0; at < size;) {
      const piece = block.subarray(from, from + Math.min(block.length - from, size - at));
      values.set(piece, at);
      at += piece.length;
      from = (from + piece.length) % block.length;
    }
    return values;
  });
  writeFileAtomic(join(folder, 'config.json'), JSON.stringify(configOf(shape)));
  return true;
}

/** The same random tokens on every side; all but a row's first are targets. */
export function makeRows(vocabulary: number, { batch, time }: Work): TokenRow[] {
  const random = createRandom(2);
  return Array.from({ length: batch }, () => ({
    ids: Int32Array.from({ length: time }, () => random.below(vocabulary)),
    supervised: Uint8Array.from({ length: time }, (_, i) => (i === 0 ? 0 : 1)),
  }));
}

/** AdamW of a training step, on every side. */
export const optimizer = {
  learningRate: 1e-4,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  clip: 1,
};
