/** What a run depends on, part by part: the hashes by which a later look tells the same from the changed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defined } from '../../errors.js';
import { readDefinition, taskFiles } from '../../evaluator/task.js';
import { nameTaskFiles, type NamedTask } from '../../evaluator/taskNames.js';
import type { RowStore } from '../../mixer/rowStore.js';
import { modelFiles } from '../../model/folder.js';
import type { RunInput } from '../../protocol/identity.js';
import type { SampleRecord } from '../../protocol/records.js';
import type { Model } from '../model.js';
import { hashFiles } from './hashFiles.js';

export interface FileInputs {
  /** Rejects as `Hashing.hashes` does. */
  inputs: Promise<{ model: RunInput[]; tasks: RunInput[] }>;
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
  const model = modelFiles(folder).map((name) => ({ name, file: join(folder.folder, name) }));
  const ofTasks = nameTaskFiles(tasks).flatMap(filesOfTask);
  const files = [...model, ...ofTasks].map(({ file }) => file);
  const { hashes, stop } = hashFiles(files, options);
  const inputs = hashes.then((known) => {
    const hashed = (list: { name: string; file: string }[]): RunInput[] =>
      list.map(({ name, file }) => ({ name, hash: defined(known.get(file), `hash of ${file}`) }));
    return { model: hashed(model), tasks: distinctNames(hashed(ofTasks)) };
  });
  // Whoever waits for them hears of a failure.
  inputs.catch(() => undefined);
  return { inputs, stop };
}

/** The rows of a source, in order; see `RowStore.hash`. */
export function rowsInput(name: string, rows: RowStore): RunInput {
  return { name, hash: rows.hash(), size: amount(rows.count, 'row') };
}

/** Samples by their ids and their text, in the order of their numbers; none where there are none. */
export function samplesInput(name: string, samples: Iterable<SampleRecord>): RunInput[] {
  const lines = [...samples]
    .sort((a, b) => a.index - b.index)
    .map(({ index, bosId, tokens, text }) => JSON.stringify([index, bosId, tokens, text]));
  if (lines.length === 0) return [];
  return [{ name, hash: sha256(lines.join('\n')), size: amount(lines.length, 'sample') }];
}

/** A small file, read here and now. */
export function fileInput(name: string, file: string): RunInput {
  return { name, hash: sha256(readFileSync(file)) };
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function filesOfTask({ file, name }: NamedTask): { name: string; file: string }[] {
  const data = taskFiles(readDefinition(file), file);
  return [
    { name, file },
    ...data.map((path) => ({ name: `${name}: ${basename(path)}`, file: path })),
  ];
}

/** Inputs whose names occur twice get a number: `facts: a.jsonl`, `facts: a.jsonl (2)`. */
function distinctNames(inputs: readonly RunInput[]): RunInput[] {
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
