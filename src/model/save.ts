/**
 * Saving a fine-tuned model as a Hugging Face folder that other tools load: the source's layout,
 * names, shapes and dtypes with new numbers. The folder is filled under a temporary name and then
 * renamed, so a failure leaves nothing behind.
 */
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { assert, attempt, CfsError } from '../errors.js';
import { replaceFolder, writeError, writeFileAtomic } from '../files.js';
import { isFloatDtype } from './dtype.js';
import { indexFile, singleFile } from './folder.js';
import type { ModelFolder } from './folder.js';
import { fileInFolder, readBytes, readText, requireReadable } from './jsonFile.js';
import { cardTag } from './modelCard.js';
import { writeSafetensors } from './safetensorsWriter.js';
import type { TensorSpec } from './safetensorsHeader.js';

export interface SaveRequest {
  source: ModelFolder;
  /** The folder to write; it may exist only if it is empty or was written by this program. */
  target: string;
  /**
   * The new weights by name, flat and row-major, in the source's shape. Undefined copies the
   * source's bytes, so a tied head that the source stores twice must be answered twice.
   */
  weights: (name: string) => Float32Array | undefined;
  /** The text of README.md, see `modelCard`. */
  card: string;
}

const licenses = /^(LICENSE|LICENCE)/i;
/** Everything beside the weights that a model needs or that its licence asks to keep. */
const copied = [
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map)\.json$/,
  /^(added_tokens|vocab|chat_template)\.json$/,
  /^(tokenizer\.model|merges\.txt|chat_template\.jinja)$/,
  licenses,
  /^(NOTICE|USE_POLICY)/,
];

/** What a save will copy from a model folder, and what stands in the way of it. */
export interface Copies {
  /** The files' names, those of licences among them. */
  names: string[];
  licenses: string[];
  problems: CfsError[];
}

/**
 * What `saveModelFolder` will copy, looked at before there is anything to save: afterwards a file
 * that cannot be read costs a whole training.
 */
export function inspectCopies(source: string): Copies {
  const problems: CfsError[] = [];
  const names = copiedNames(source);
  for (const name of names) {
    attempt(
      () => requireReadable(sourceOf(source, name)),
      (problem) => problems.push(problem),
    );
  }
  return { names, licenses: names.filter((name) => licenses.test(name)), problems };
}

/**
 * Writes the model folder. Throws `SAVE_TARGET_IN_USE`, `WRITE_FAILED`, `WEIGHTS_NOT_FINITE` and
 * whatever reading the source throws; the target is then as it was.
 */
export function saveModelFolder({ source, target, weights, card }: SaveRequest): void {
  const place = resolve(target);
  requireSaveTarget(source.folder, place);
  const temporary = `${place}.tmp-${process.pid}`;
  const firstMade = makeFolder(temporary);
  try {
    copyFiles(source.folder, temporary);
    writeFileAtomic(join(temporary, 'README.md'), card);
    writeWeights(source, temporary, weights);
    replaceFolder(temporary, place);
  } catch (error) {
    rmSync(firstMade, { recursive: true, force: true });
    throw error;
  }
}

function writeWeights(
  { tensors }: ModelFolder,
  folder: string,
  weights: SaveRequest['weights'],
): void {
  const dataOf = ({ name, dtype, shape }: TensorSpec): Float32Array | Iterable<Uint8Array> => {
    const values = weights(name);
    if (values === undefined) return tensors.readBytes(name);
    const length = shape.reduce((product, size) => product * size, 1);
    assert(isFloatDtype(dtype), `new weights for tensor ${name} of dtype ${dtype}`);
    assert(values.length === length, `${values.length} weights for ${name} of size ${length}`);
    return values;
  };
  const specs = tensors.names().map((name) => ({ name, ...tensors.info(name) }));
  for (const shard of new Set(specs.map(({ name }) => tensors.pathOf(name)))) {
    const inShard = specs.filter(({ name }) => tensors.pathOf(name) === shard);
    writeSafetensors(join(folder, shard), inShard, dataOf);
  }
}

function copyFiles(source: string, folder: string): void {
  for (const name of copiedNames(source)) {
    writeFileAtomic(join(folder, name), readBytes(sourceOf(source, name)));
  }
}

function copiedNames(source: string): string[] {
  const isFolder = (name: string): boolean =>
    statSync(join(source, name), { throwIfNoEntry: false })?.isDirectory() === true;
  const names = readdirSync(source).filter((name) => copied.some((one) => one.test(name)));
  // The index stays true as it is: names, shards and sizes do not change.
  if (!existsSync(join(source, singleFile))) names.push(indexFile);
  return names.filter((name) => !isFolder(name));
}

/** A link that leads to nothing is an error when it is read. Throws `MODEL_PATH_OUTSIDE`. */
function sourceOf(source: string, name: string): string {
  return fileInFolder(source, name) ?? join(source, name);
}

function makeFolder(folder: string): string {
  try {
    rmSync(folder, { recursive: true, force: true });
    return mkdirSync(folder, { recursive: true }) ?? folder;
  } catch (error) {
    throw writeError(folder, error);
  }
}

/**
 * Refuses to replace the source or anything that this program did not write. Throws
 * `SAVE_TARGET_IN_USE`.
 */
export function requireSaveTarget(source: string, target: string): void {
  if (!existsSync(target)) return;
  const real = realpathSync(target);
  if (`${realpathSync(source)}${sep}`.startsWith(`${real}${sep}`)) {
    throw inUse(target, 'The folder contains the base model itself');
  }
  if (entriesOf(target).length > 0 && !isOurs(target)) {
    throw inUse(target, 'The folder contains files that CFS Studio did not write');
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw writeError(folder, error);
  }
}

function isOurs(folder: string): boolean {
  const card = fileInFolder(folder, 'README.md');
  const frontMatter = card === undefined ? undefined : /^---\n(.*?)\n---/s.exec(readText(card));
  return frontMatter?.[1]?.split('\n').some((line) => line.trim() === `- ${cardTag}`) ?? false;
}

function inUse(target: string, message: string): CfsError {
  return new CfsError({
    code: 'SAVE_TARGET_IN_USE',
    message: `${message}, so it was not replaced.`,
    remedy: 'Choose a new or empty folder for the model.',
    place: { file: target },
  });
}
