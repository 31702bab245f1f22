/** The base model of a job, opened and checked: everything about it that needs no device. */
import { join } from 'node:path';
import { CfsError, defined } from '../errors.js';
import type { Architecture } from '../model/architecture.js';
import { findBos, findEos, tokenizerAddsBos, type BosFinding } from '../model/bos.js';
import { folderArchitecture } from '../model/families/index.js';
import { openModelFolder, type ModelFolder } from '../model/folder.js';
import { checkTokenizer, loadTokenizer, type Tokenizer } from '../model/tokenizer.js';

export interface Model {
  folder: ModelFolder;
  architecture: Architecture;
  tokenizer: Tokenizer;
  bos: BosFinding;
  /** Tokens that end a text; the first is the one that training rows end with. */
  eosIds: number[];
  /** Whether the model's own tokenizer begins every text with BOS. */
  addsBos: boolean;
}

/** Throws whatever is wrong with the folder, as a `CfsError`. */
export function openModel(path: string, bosOverride?: number | string): Model {
  const folder = openModelFolder(path);
  const architecture = folderArchitecture(folder);
  for (const { name, shape } of architecture.parameters) checkShape(folder, name, shape);
  const tokenizer = loadTokenizer(path);
  checkTokenizer(tokenizer, architecture.vocabSize, path);
  const bos = findBos(path, tokenizer, bosOverride);
  const found = findEos(path, tokenizer);
  return {
    folder,
    architecture,
    tokenizer,
    bos,
    eosIds: found.length > 0 ? found : [bos.id],
    addsBos: tokenizerAddsBos(path),
  };
}

/** The EOS token that ends a training row. */
export function eosOf({ eosIds }: Model): number {
  return defined(eosIds[0], 'EOS token');
}

function checkShape(
  { folder, tensors }: ModelFolder,
  name: string,
  shape: readonly number[],
): void {
  const found = tensors.info(name).shape;
  if (found.length === shape.length && found.every((size, i) => size === shape[i])) return;
  throw new CfsError({
    code: 'TENSOR_SHAPE',
    message: `Tensor "${name}" has the shape [${found.join(', ')}]; config.json requires [${shape.join(', ')}].`,
    remedy: 'Download the model again: its config and weights do not belong together.',
    place: { file: join(folder, tensors.pathOf(name)), field: name },
  });
}
