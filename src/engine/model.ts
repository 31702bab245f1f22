/** The base model of a job, opened and checked: everything about it that needs no device. */
import { join } from 'node:path';
import { attempt, CfsError, defined } from '../errors.js';
import type { Architecture } from '../model/architecture.js';
import { findBos, findEos, tokenizerAddsBos, type BosFinding } from '../model/bos.js';
import { isFloatDtype } from '../model/dtype.js';
import { folderArchitecture } from '../model/families/index.js';
import { openModelFolder, type ModelFolder } from '../model/folder.js';
import { unreadableDtype } from '../model/safetensors.js';
import { checkTokenizer, loadTokenizer, type Tokenizer } from '../model/tokenizer.js';
import type { Parameter } from '../model/weights.js';

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

/** A model, or all that is wrong with its folder. */
export type ModelInspection =
  { model: Model; problems: [] } | { model?: undefined; problems: [CfsError, ...CfsError[]] };

/** Throws the first thing that is wrong with the folder, as a `CfsError`. */
export function openModel(path: string, bosOverride?: number | string): Model {
  const { model, problems } = inspectModel(path, bosOverride);
  if (model === undefined) throw problems[0];
  return model;
}

/** Opens a model folder; weights and tokenizer are looked at each, whatever is wrong with the other. */
export function inspectModel(path: string, bosOverride?: number | string): ModelInspection {
  const problems: CfsError[] = [];
  const tell = (problem: CfsError): void => void problems.push(problem);
  const folder = attempt(() => openModelFolder(path), tell);
  const architecture = folder && attempt(() => folderArchitecture(folder), tell);
  if (folder && architecture) problems.push(...tensorProblems(folder, architecture));
  // A folder that is not there lacks a tokenizer too; that goes without saying.
  const isThere = problems[0]?.code !== 'MODEL_FOLDER_MISSING';
  const tokenizer = isThere ? attempt(() => loadTokenizer(path), tell) : undefined;
  if (tokenizer && architecture) {
    attempt(() => checkTokenizer(tokenizer, architecture.vocabSize, path), tell);
  }
  const ends = tokenizer && attempt(() => textEnds(path, tokenizer, bosOverride), tell);
  const [first, ...others] = problems;
  if (first) return { problems: [first, ...others] };
  const model = {
    folder: defined(folder, 'folder'),
    architecture: defined(architecture, 'architecture'),
    tokenizer: defined(tokenizer, 'tokenizer'),
    ...defined(ends, 'BOS and EOS tokens'),
  };
  return { model, problems: [] };
}

/** What begins and ends a text. */
function textEnds(
  path: string,
  tokenizer: Tokenizer,
  bosOverride: number | string | undefined,
): Pick<Model, 'bos' | 'eosIds' | 'addsBos'> {
  const bos = findBos(path, tokenizer, bosOverride);
  const found = findEos(path, tokenizer);
  const eosIds = found.length > 0 ? found : [bos.id];
  return { bos, eosIds, addsBos: tokenizerAddsBos(path) };
}

/** The EOS token that ends a training row. */
export function eosOf({ eosIds }: Model): number {
  return defined(eosIds[0], 'EOS token');
}

/** Tensors of the weights that the model does not use. */
export function unusedTensors({ folder, architecture }: Model): string[] {
  const used = new Set(architecture.parameters.map(({ name }) => name));
  return folder.tensors
    .names()
    .filter((name) => !used.has(name) && !Object.hasOwn(architecture.aliases, name));
}

/** Reads all weights that the model uses. Throws `WEIGHTS_NOT_FINITE`, as loading them would. */
export function requireFiniteWeights({ folder, architecture }: Model): void {
  for (const { name } of architecture.parameters) folder.tensors.requireFinite(name);
}

/** The first tensor of each kind of fault, with how many others have it too. */
function tensorProblems(folder: ModelFolder, { parameters }: Architecture): CfsError[] {
  const found = new Map<string, { first: CfsError; others: number }>();
  for (const parameter of parameters) {
    attempt(
      () => checkTensor(folder, parameter),
      (problem) => {
        const known = found.get(problem.code);
        if (known) known.others++;
        else found.set(problem.code, { first: problem, others: 0 });
      },
    );
  }
  return [...found.values()].map(({ first, others }) => {
    if (others === 0) return first;
    const { code, message, remedy, place } = first;
    const more = `${others} more ${others === 1 ? 'tensor is' : 'tensors are'} like it.`;
    return new CfsError({ code, message: `${message} ${more}`, remedy, place, cause: first });
  });
}

function checkTensor({ folder, tensors }: ModelFolder, { name, shape }: Parameter): void {
  const { shape: found, dtype } = tensors.info(name);
  const file = join(folder, tensors.pathOf(name));
  if (!isFloatDtype(dtype)) throw unreadableDtype(file, name, dtype);
  if (found.length === shape.length && found.every((size, i) => size === shape[i])) return;
  throw new CfsError({
    code: 'TENSOR_SHAPE',
    message: `Tensor "${name}" has the shape [${found.join(', ')}]; config.json requires [${shape.join(', ')}].`,
    remedy: 'Download the model again: its config and weights do not belong together.',
    place: { file, field: name },
  });
}
