/**
 * Random models of a family: weights that suit any decoder, a folder of them as a hub would serve it,
 * and rows of tokens to put through them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parametersOf, type ModelConfig } from '../../scripts/parity/testedModel.js';
import { defined } from '../../src/errors.js';
import type { TokenRow } from '../../src/model/batch.js';
import { decodeFloats, encodeFloats, type FloatDtype } from '../../src/model/dtype.js';
import { writeSafetensors } from '../../src/model/safetensorsWriter.js';
import { createRandom, type Random } from '../../src/random.js';

/** Normal weights, spread enough that every token has a clear favourite; vectors near one. */
export function randomWeights(config: ModelConfig, seed: number): Map<string, Float32Array> {
  const random = createRandom(seed);
  return new Map(
    parametersOf(config).map(({ name, shape }) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const draw = (): number =>
        shape.length === 1 ? 1 + 0.1 * random.normal() : 0.3 * random.normal();
      return [name, Float32Array.from({ length: size }, draw)];
    }),
  );
}

export function randomTokens(random: Random, count: number, vocabulary: number): number[] {
  return Array.from({ length: count }, () => random.below(vocabulary));
}

/** Rows of these lengths; every second one is scored on its later half only. */
export function randomRows(
  seed: number,
  vocabulary: number,
  lengths: readonly number[],
): TokenRow[] {
  const random = createRandom(seed);
  return lengths.map((length, row) => ({
    ids: Int32Array.from(randomTokens(random, length, vocabulary)),
    supervised: Uint8Array.from({ length }, (_, i) =>
      i > 0 && (row % 2 === 0 || i > length / 2) ? 1 : 0,
    ),
  }));
}

/** A row that is scored on every token but the first. */
export function wholeRow(ids: readonly number[]): TokenRow {
  return {
    ids: Int32Array.from(ids),
    supervised: Uint8Array.from(ids, (_, i) => (i === 0 ? 0 : 1)),
  };
}

export interface FolderLayout {
  dtype: FloatDtype;
  shards: number;
}

/** Writes a model folder with random weights of this dtype; a tied head is not stored. */
export function writeModelFolder(
  folder: string,
  config: ModelConfig,
  { dtype, shards }: FolderLayout,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const weights = randomWeights(config, 23);
  const specs = parametersOf(config).map(({ name, shape }) => ({ name, shape, dtype }));
  const valuesOf = ({ name }: { name: string }): Float32Array => defined(weights.get(name), name);
  if (shards === 1) {
    writeSafetensors(join(folder, 'model.safetensors'), specs, valuesOf);
    return;
  }
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${shard + 1}-of-${shards}.safetensors`;
    const inShard = specs.filter((_, i) => i % shards === shard);
    for (const { name } of inShard) weightMap[name] = file;
    writeSafetensors(join(folder, file), inShard, valuesOf);
  }
  const index = { metadata: {}, weight_map: weightMap };
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
}

/** What is left of numbers once they are stored as `dtype`. */
export function rounded(values: Float32Array, dtype: FloatDtype): Float32Array {
  return decodeFloats(encodeFloats(values, dtype), dtype);
}
