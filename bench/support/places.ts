/** Where the benchmarks find models and data, and where they keep what they make. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Skipped } from '../peers/lineProcess.js';
import type { FloatDtype } from '../../src/model/dtype.js';
import {
  configOf,
  shapes,
  storedAs,
  writeRandomModel,
  type LlamaShape,
  type ShapeName,
} from '../shapes.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Made on demand, never committed. */
export const cacheFolder = join(root, '.cfs', 'bench');

const data = join(root, '..', 'shared', 'data');

/** Real models and data, which a machine may lack. */
export const places = {
  stories15M: join(data, 'models', 'stories15M'),
  e2e: join(data, 'datasets', 'e2e_nlg', 'devset.csv'),
  tinyStories: join(data, 'datasets', 'tinystories', 'tinystories_val.txt'),
};

/** The first of `paths` that is not there, as a reason to skip. */
export function missing(...paths: readonly string[]): Skipped | undefined {
  const absent = paths.find((path) => !existsSync(path));
  return absent === undefined ? undefined : { skipped: `${absent} is not there` };
}

/** A folder with random weights of this shape, written at the first call. */
export function randomModel(name: string, shape: LlamaShape, dtype: FloatDtype = 'F32'): string {
  const folder = join(cacheFolder, name);
  const config = join(folder, 'config.json');
  // The config is written last, so one that fits stands beside whole weights.
  const wanted = JSON.stringify(configOf(shape, dtype));
  const found = existsSync(config) ? (JSON.parse(readFileSync(config, 'utf8')) as unknown) : {};
  if (JSON.stringify(found) !== wanted) writeRandomModel(folder, shape, 1, dtype);
  return folder;
}

/** One of the benchmarks' models. */
export function knownModel(name: ShapeName): string {
  return randomModel(name, shapes[name], storedAs[name]);
}

/** Gives the model the tokenizer of stories15M, which has 32,000 tokens as all of them. */
export function copyTokenizer(folder: string): void {
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    cpSync(join(places.stories15M, name), join(folder, name));
  }
}
