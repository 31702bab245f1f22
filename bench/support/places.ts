/** Where the benchmarks find models and data, and where they keep what they make. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Skipped } from '../peers/lineProcess.js';
import { configOf, writeRandomModel, type LlamaShape } from '../shapes.js';

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
export function randomModel(name: string, shape: LlamaShape): string {
  const folder = join(cacheFolder, name);
  const config = join(folder, 'config.json');
  // The config is written last, so one that fits stands beside whole weights.
  const wanted = JSON.stringify(configOf(shape));
  const found = existsSync(config) ? (JSON.parse(readFileSync(config, 'utf8')) as unknown) : {};
  if (JSON.stringify(found) !== wanted) writeRandomModel(folder, shape, 1);
  return folder;
}
