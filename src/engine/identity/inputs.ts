/** What a run depends on, part by part: the hashes by which a later look tells the same from the changed. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { defined } from '../../errors.js';
import { isSystemError, readError } from '../../files.js';
import { readDefinition, taskFiles } from '../../evaluator/task.js';
import { nameTaskFiles, type NamedTask } from '../../evaluator/taskNames.js';
import type { RowStore } from '../../mixer/rowStore.js';
import { modelFiles } from '../../model/folder.js';
import type { SampleRecord } from '../../protocol/records.js';
import { readFile } from '../../reading.js';
import type { FoundInput } from '../../runs/identity.js';
import type { Model } from '../model.js';
import { hashFiles } from './hashFiles.js';

export interface FileInputs {
  /** Rejects as `Hashing.hashes` does. */
  inputs: Promise<{ model: FoundInput[]; tasks: FoundInput[] }>;
  stop: () => void;
}

/**
 * Starts to hash all files of the model and of the tasks, beside other work. `verify`: reads them
 * even where their hashes are known. Throws what `nameTaskFiles` throws.
 */
export function hashInputs(
  { folder }: Model,
  tasks: readonly string[],
  options: { verify: boolean },
): FileInputs {
  const model = modelFiles(folder).map((name): NamedFile => ({
    name,
    words: `model file ${name}`,
    file: join(folder.folder, name),
  }));
  const ofTasks = nameTaskFiles(tasks).flatMap(filesOfTask);
  const files = [...model, ...ofTasks].map(({ file }) => file);
  const { hashes, stop } = hashFiles(files, options);
  const inputs = hashes.then((known) => {
    const hashed = (list: readonly NamedFile[]): FoundInput[] =>
      list.map(({ name, words, file }) => {
        const hash = defined(known.get(file), `hash of ${file}`);
        return { name, hash, words, files: [file] };
      });
    return { model: hashed(model), tasks: distinctNames(hashed(ofTasks)) };
  });
  // Whoever waits for them hears of a failure.
  inputs.catch(() => undefined);
  return { inputs, stop };
}

interface NamedFile {
  name: string;
  /** The name in a sentence. */
  words: string;
  file: string;
}

/** The rows of a source, in order; see `RowStore.hash`. `files`: where they were read. */
export function rowsInput(name: string, rows: RowStore, files?: readonly string[]): FoundInput {
  return { name, hash: rows.hash(), size: amount(rows.count, 'row'), ...(files && { files }) };
}

/**
 * Samples of `file` by their ids and their text, in the order of their numbers; none where there are
 * none.
 */
export function samplesInput(
  name: string,
  samples: Iterable<SampleRecord>,
  file: string,
): FoundInput[] {
  const lines = [...samples]
    .sort((a, b) => a.index - b.index)
    .map(({ index, bosId, tokens, text }) => JSON.stringify([index, bosId, tokens, text]));
  if (lines.length === 0) return [];
  const size = amount(lines.length, 'sample');
  return [{ name, hash: sha256(lines.join('\n')), size, files: [file] }];
}

/** A small file, read here and now. Throws `READ_FAILED`. */
export function fileInput(name: string, file: string): FoundInput {
  try {
    return { name, hash: sha256(readFile(file)), files: [file] };
  } catch (error) {
    throw isSystemError(error) ? readError(file, error) : error;
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function filesOfTask({ file, name }: NamedTask): NamedFile[] {
  const data = taskFiles(readDefinition(file), file).map((path) => {
    const own = basename(path);
    return { name: `${name}: ${own}`, words: `${own} of the task ${name}`, file: path };
  });
  return [{ name, words: `task ${name}`, file }, ...data];
}

/** Inputs whose names occur twice get a number: `facts: a.jsonl`, `facts: a.jsonl (2)`. */
function distinctNames(inputs: readonly FoundInput[]): FoundInput[] {
  const seen = new Map<string, number>();
  return inputs.map((input) => {
    const times = (seen.get(input.name) ?? 0) + 1;
    seen.set(input.name, times);
    return times === 1 ? input : { ...input, name: `${input.name} (${times})` };
  });
}

function amount(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
}
