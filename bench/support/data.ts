/** Real rows for the benchmarks that train on data. */
import { readFileSync } from 'node:fs';
import { defined } from '../../src/errors.js';
import { loadDataset } from '../../src/mixer/dataset.js';
import { contextFreeRow, type TokenizeOptions } from '../../src/mixer/rows.js';
import { storeRows, type RowStore } from '../../src/mixer/rowStore.js';
import { findBos, findEos } from '../../src/model/bos.js';
import { folderArchitecture } from '../../src/model/families/index.js';
import { openModelFolder } from '../../src/model/folder.js';
import { loadTokenizer } from '../../src/model/tokenizer.js';
import { createRandom } from '../../src/random.js';
import { places } from './places.js';

/** How the rows for a model folder are tokenized: as in a run, up to the model's context. */
export function tokenizeOptions(folder: string): TokenizeOptions & { bos: number } {
  const tokenizer = loadTokenizer(folder);
  return {
    tokenizer,
    bos: findBos(folder, tokenizer).id,
    eos: defined(findEos(folder, tokenizer)[0], 'end token'),
    maxLength: folderArchitecture(openModelFolder(folder)).contextLength,
  };
}

/** E2E NLG: a meaning representation as prompt, its sentence as response. */
export async function e2eRows(tokenize: TokenizeOptions): Promise<RowStore> {
  const columns = { prompt: 'mr', response: 'ref' };
  return (await loadDataset([places.e2e], { columns }, tokenize)).rows;
}

/**
 * Rows as long as context-free samples: stretches of TinyStories of half to all of `maxLength`
 * tokens, drawn from `seed`.
 */
export function storyRows(
  { tokenizer, bos, maxLength }: TokenizeOptions & { bos: number },
  count: number,
  seed: number,
): RowStore {
  // Some four characters a token; twice of what can be needed.
  const text = readFileSync(places.tinyStories, 'utf8').slice(0, 8 * count * maxLength);
  const ids = tokenizer.encode(text);
  const random = createRandom(seed);
  let at = 0;
  const rows = Array.from({ length: count }, () => {
    const length = Math.ceil(maxLength / 2) + random.below(Math.floor(maxLength / 2));
    const row = contextFreeRow([bos, ...ids.slice(at, at + length - 1)]);
    at += length - 1;
    return row;
  });
  if (at > ids.length) throw new Error(`${places.tinyStories} is too short for ${count} rows`);
  return storeRows(rows);
}
