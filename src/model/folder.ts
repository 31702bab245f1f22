/**
 * A Hugging Face model folder, opened: its configuration and its weights by name, whether they lie
 * in one file or in shards. All shards' headers are checked here, so that a folder that opens can
 * be read.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CfsError, defined, messageOf } from '../errors.js';
import {
  decodeFloats,
  firstNonFinite,
  firstNonFiniteIn,
  floatBytes,
  isFloatDtype,
} from './dtype.js';
import { fileInFolder, readJsonInFolder } from './jsonFile.js';
import { openSafetensors, unreadableDtype } from './safetensors.js';
import type { SafetensorsFile } from './safetensors.js';
import type { TensorInfo } from './safetensorsHeader.js';
import { anyNames, own } from '../own.js';

export interface ModelTensors {
  names(): string[];
  has(name: string): boolean;
  /** Throws `TENSOR_MISSING`. */
  info(name: string): TensorInfo;
  /**
   * The weights as float32, flat and row-major. Throws `TENSOR_MISSING`, `TENSOR_DTYPE` and, where
   * a weight is NaN or infinite, `WEIGHTS_NOT_FINITE`.
   */
  read(name: string): Float32Array;
  /** The same into memory that is there, while other work goes on. */
  readInto: (name: string, values: Float32Array) => Promise<void>;
  /** Throws what `read` throws, and keeps nothing in memory. */
  requireFinite(name: string): void;
  /** The bytes as stored, whatever the dtype, in pieces. */
  readBytes(name: string): Iterable<Uint8Array>;
  /** Bytes of all tensors together, as stored. */
  bytes(): number;
  /** The file that a tensor of `names()` lies in, relative to the folder. */
  pathOf(name: string): string;
}

export interface ModelFolder {
  folder: string;
  /** `config.json`, parsed; `model_type` is a string. */
  config: Record<string, unknown>;
  generationConfig: Record<string, unknown> | undefined;
  tensors: ModelTensors;
}

export const singleFile = 'model.safetensors';
export const indexFile = 'model.safetensors.index.json';
/** What else of a model folder decides what the model does. */
const smallFiles = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
];

const configSchema = z.looseObject({ model_type: z.string() });
const anyObjectSchema = z.looseObject({});
const indexSchema = z.looseObject({ weight_map: anyNames(z.string()) });

/**
 * Opens a model folder. Throws a `CfsError` for a missing folder or config, weights in another
 * format, a missing or damaged shard, a shard path that leads out of the folder.
 */
export function openModelFolder(folder: string): ModelFolder {
  const names = listFolder(folder);
  const config = readJsonInFolder(folder, 'config.json', configSchema);
  if (config === undefined) throw noConfig(folder, names);
  return {
    folder,
    config,
    generationConfig: readJsonInFolder(folder, 'generation_config.json', anyObjectSchema),
    tensors: openTensors(folder, names),
  };
}

/** The files that a model is read from, relative to its folder: those of its weights, then the others. */
export function modelFiles({ folder, tensors }: ModelFolder): string[] {
  const weights = new Set(tensors.names().map((name) => tensors.pathOf(name)));
  if (!weights.has(singleFile)) weights.add(indexFile);
  return [...weights, ...smallFiles.filter((name) => fileInFolder(folder, name) !== undefined)];
}

function openTensors(folder: string, names: string[]): ModelTensors {
  const single = fileInFolder(folder, singleFile);
  if (single !== undefined) {
    const opened = openSafetensors(single);
    return tensorsOf(
      new Map(opened.names().map((name) => [name, opened])),
      single,
      () => singleFile,
    );
  }
  const index = readJsonInFolder(folder, indexFile, indexSchema);
  if (index === undefined) throw noWeights(folder, names);
  return openShards(folder, index.weight_map);
}

/**
 * Each shard has one name: by two of them, saving would write one file twice, each time with a part
 * of its tensors. Tensors that lie in a shard but not in the index are left out, as `transformers`
 * does.
 */
function openShards(folder: string, weightMap: Record<string, string>): ModelTensors {
  const shards = new Map<string, SafetensorsFile>();
  const located = new Map<string, SafetensorsFile>();
  const places = new Map<string, string>();
  for (const [name, path] of Object.entries(weightMap)) {
    let shard = shards.get(path);
    if (shard === undefined) {
      shard = openShard(folder, path);
      shards.set(path, shard);
      const { dev, ino } = statSync(shard.file, { bigint: true });
      const other = places.get(`${dev} ${ino}`);
      if (other !== undefined) throw sameShard(folder, name, path, other);
      places.set(`${dev} ${ino}`, path);
    }
    if (!shard.has(name)) {
      throw new CfsError({
        code: 'SHARD_MISMATCH',
        message: `The index says that tensor "${name}" is in ${path}, but it is not.`,
        remedy: 'Download the index and all its shards again, from the same revision.',
        place: { file: join(folder, indexFile), field: name },
      });
    }
    located.set(name, shard);
  }
  const pathOf = (name: string): string => defined(own(weightMap, name), `shard of ${name}`);
  return tensorsOf(located, join(folder, indexFile), pathOf);
}

function sameShard(folder: string, tensor: string, path: string, other: string): CfsError {
  return new CfsError({
    code: 'MODEL_FILE_INVALID',
    message: `The index names one weights file in two ways: “${other}” and “${path}”.`,
    remedy: 'Write the same name for all tensors of the file, or download the model again.',
    place: { file: join(folder, indexFile), field: `weight_map.${tensor}` },
  });
}

function openShard(folder: string, path: string): SafetensorsFile {
  const file = fileInFolder(folder, path);
  if (file !== undefined) return openSafetensors(file);
  throw new CfsError({
    code: 'SHARD_MISSING',
    message: `The index lists the weights file ${path}, which is missing.`,
    remedy: 'Download the missing file into the model folder.',
    place: { file: join(folder, path) },
  });
}

function tensorsOf(
  located: Map<string, SafetensorsFile>,
  where: string,
  pathOf: (name: string) => string,
): ModelTensors {
  const shardOf = (name: string): SafetensorsFile => {
    const shard = located.get(name);
    if (shard !== undefined) return shard;
    throw new CfsError({
      code: 'TENSOR_MISSING',
      message: `The weights have no tensor "${name}".`,
      remedy: 'Check that all files of the model are there and match its config.json.',
      place: { file: where, field: name },
    });
  };
  return {
    names: () => [...located.keys()],
    has: (name) => located.has(name),
    info: (name) => shardOf(name).info(name),
    read: (name) => readFinite(shardOf(name), name),
    readInto: async (name, values) => {
      const shard = shardOf(name);
      const bad = await shard.readInto(name, values);
      if (bad >= 0) throw notFinite(shard, name, bad, values[bad]);
    },
    requireFinite: (name) => requireFinite(shardOf(name), name),
    readBytes: (name) => shardOf(name).readBytes(name),
    bytes: () => [...located].reduce((sum, [name, shard]) => sum + shard.byteLength(name), 0),
    pathOf,
  };
}

function readFinite(shard: SafetensorsFile, name: string): Float32Array {
  const values = shard.read(name);
  const bad = firstNonFinite(values);
  if (bad < 0) return values;
  throw notFinite(shard, name, bad, values[bad]);
}

function requireFinite(shard: SafetensorsFile, name: string): void {
  const { dtype } = shard.info(name);
  if (!isFloatDtype(dtype)) throw unreadableDtype(shard.file, name, dtype);
  let before = 0;
  for (const bytes of shard.readBytes(name)) {
    const bad = firstNonFiniteIn(bytes, dtype);
    if (bad >= 0) throw notFinite(shard, name, before + bad, decodeFloats(bytes, dtype)[bad]);
    before += bytes.length / floatBytes[dtype];
  }
}

function notFinite(
  { file }: SafetensorsFile,
  name: string,
  index: number,
  value: number | undefined,
): CfsError {
  return new CfsError({
    code: 'WEIGHTS_NOT_FINITE',
    message: `Tensor "${name}" holds ${value} at flat index ${index}.`,
    remedy: 'The model is damaged: download it again, or use an earlier checkpoint of it.',
    place: { file, field: name },
  });
}

function listFolder(folder: string): string[] {
  try {
    if (statSync(folder).isDirectory()) return readdirSync(folder);
  } catch (error) {
    throw notAFolder(folder, messageOf(error), error);
  }
  throw notAFolder(folder, 'it is a file');
}

function notAFolder(folder: string, why: string, cause?: unknown): CfsError {
  return new CfsError({
    code: 'MODEL_FOLDER_MISSING',
    message: `There is no model folder here: ${why}.`,
    remedy: 'Choose the folder that contains config.json and model.safetensors.',
    place: { file: folder },
    cause,
  });
}

function noConfig(folder: string, names: string[]): CfsError {
  if (names.includes('adapter_config.json')) {
    return new CfsError({
      code: 'MODEL_CONFIG_MISSING',
      message: 'This folder contains a LoRA adapter, not a whole model.',
      remedy: 'Merge the adapter into its base model first, and choose the merged folder.',
      place: { file: folder },
    });
  }
  const other = otherFormat(folder, names);
  if (other !== undefined) return other;
  return new CfsError({
    code: 'MODEL_CONFIG_MISSING',
    message: 'The folder has no config.json.',
    remedy: 'Choose the folder that contains config.json and model.safetensors.',
    place: { file: folder },
  });
}

function noWeights(folder: string, names: string[]): CfsError {
  return (
    otherFormat(folder, names) ??
    new CfsError({
      code: 'MODEL_WEIGHTS_MISSING',
      message: `The folder has neither ${singleFile} nor ${indexFile}.`,
      remedy: 'Download the weights in safetensors format into the folder.',
      place: { file: folder },
    })
  );
}

/** Weights that are there but in a format that is not read here, with the way out. */
function otherFormat(folder: string, names: string[]): CfsError | undefined {
  const formats: [RegExp, string][] = [
    [
      /\.gguf$/,
      'GGUF is a format for inference: download the original Hugging Face folder with safetensors.',
    ],
    [
      /\.(bin|pt|pth|ckpt)$/,
      'Load the model in transformers and call save_pretrained, which writes safetensors, ' +
        'or download a revision of it that has them.',
    ],
  ];
  for (const [pattern, remedy] of formats) {
    const found = names.find((name) => pattern.test(name));
    if (found === undefined) continue;
    return new CfsError({
      code: 'MODEL_FORMAT',
      message: `The folder has weights only as ${found}; safetensors are needed.`,
      remedy,
      place: { file: join(folder, found) },
    });
  }
  return undefined;
}
