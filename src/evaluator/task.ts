/**
 * A task, ready to be asked: its checked YAML with the items and few-shot examples it names. Errors
 * in a task file say file, line and field, all of them at once.
 */
import { dirname, resolve } from 'node:path';
import { isMap, isNode } from 'yaml';
import type { Document as YamlDocument, LineCounter } from 'yaml';
import { CfsError, defined, messageOf } from '../errors.js';
import type { Place } from '../errors.js';
import { createRandom, permutation } from '../random.js';
import type { Document } from './documents.js';
import { readDocuments, readLines } from './documents.js';
import { preprocessDocument } from './preprocess.js';
import { taskSchema } from './taskSchema.js';
import type { TaskDefinition } from './taskSchema.js';
import { setOwn } from '../own.js';
import { readTextFile } from '../reading.js';
import { largestYaml, parseYaml } from '../yamlText.js';

export interface TaskItem {
  /** Position in the task's data, from 0: the same in every evaluation and every subset. */
  id: string;
  document: Document;
}

export interface Task {
  definition: TaskDefinition;
  items: TaskItem[];
  /** The examples to draw few-shot prompts from, one more than needed where there are enough. */
  examples: Document[];
}

/**
 * Reads a task file and its data. `overrides` replace fields of the file (typically `task`, `data`,
 * `num_fewshot`). Paths in either are relative to the task file, those of `line_files` to the data.
 * Throws `TASK_INVALID`, `TASK_DATA_MISSING`, `TASK_DATA_INVALID`.
 */
export function loadTask(file: string, overrides: Record<string, unknown> = {}): Task {
  const definition = readDefinition(file, overrides);
  const { data, fewshot, separator } = definition;
  if (data === undefined) {
    throw new CfsError({
      code: 'TASK_DATA_MISSING',
      message: `The task "${definition.task}" names no data.`,
      remedy: 'Set data to a local JSONL, JSON, CSV or text file, here or in the run file.',
      place: { file, field: 'data' },
    });
  }
  const at = (path: string): string => resolve(dirname(file), path);
  const files = [data].flat().map(at);
  const beside = (path: string): string => resolve(dirname(defined(files[0], 'file')), path);
  const documents = files.flatMap((path) => readDocuments(path, separator));
  const columns = Object.entries(definition.line_files).map(
    ([name, path]) => [name, columnOf(beside(path), documents.length)] as const,
  );
  for (const [name, values] of columns) {
    for (const [i, document] of documents.entries()) setOwn(document, name, values[i]);
  }
  const examples =
    fewshot === undefined || definition.num_fewshot === 0
      ? []
      : readDocuments(at(fewshot), separator);
  return taskOf(definition, documents, examples);
}

/** Every file that a task reads beside its own. */
export function taskFiles(definition: TaskDefinition, file: string): string[] {
  const { data = [], fewshot, line_files } = definition;
  const at = (path: string): string => resolve(dirname(file), path);
  const files = [data].flat().map(at);
  const beside = (path: string): string => resolve(dirname(files[0] ?? file), path);
  return [
    ...files,
    ...(fewshot === undefined ? [] : [at(fewshot)]),
    ...Object.values(line_files).map(beside),
  ];
}

/** A task over items that are already in memory. */
export function taskOf(
  definition: TaskDefinition,
  documents: Document[],
  examples: Document[] = [],
): Task {
  const prepare = (document: Document): Document =>
    definition.preprocess === undefined
      ? document
      : preprocessDocument(definition.preprocess, document);
  return {
    definition,
    items: documents.map((document, i) => ({ id: String(i), document: prepare(document) })),
    examples: examples.slice(0, definition.num_fewshot + 1).map(prepare),
  };
}

/** Reads and checks a task file without its data. Throws `TASK_INVALID`. */
export function readDefinition(
  file: string,
  overrides: Record<string, unknown> = {},
): TaskDefinition {
  return parseDefinition(readTaskFile(file), file, overrides);
}

/** Checks the text of a task file. Throws `TASK_INVALID`. */
export function parseDefinition(
  text: string,
  file: string,
  overrides: Record<string, unknown> = {},
): TaskDefinition {
  // Not `z.record`, which would drop a field named `__proto__` instead of refusing it.
  const { document: yaml, lines, content: fields, faults: broken } = parseYaml(text);
  const [fault] = broken;
  if (fault !== undefined) {
    const { message, ...place } = fault;
    throw invalid(message, { file, ...place });
  }
  if (!isMap(yaml.contents) || typeof fields !== 'object') {
    throw invalid('The file is not a list of fields.', { file });
  }
  const parsed = taskSchema.safeParse({ ...fields, ...overrides });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    return { path: [...issue.path, ...keys], message: issue.message };
  });
  const first = defined(faults[0], 'issue');
  const message = faults.map((f) => `${f.path.join('.') || 'task'}: ${f.message}`).join('; ');
  throw invalid(message, {
    file,
    ...positionOf(yaml, lines, first.path),
    field: first.path.join('.'),
  });
}

/**
 * The task with a fixed subset of `count` items: chosen by `seed` and the task's name, in the order
 * of the data, and the same at every evaluation. A smaller task is kept whole.
 */
export function subsetOf(task: Task, count: number, seed: number): Task {
  if (task.items.length <= count) return task;
  const letters = [...task.definition.task].map((letter) =>
    defined(letter.codePointAt(0), 'letter'),
  );
  const order = permutation(task.items.length, createRandom(seed, ...letters));
  const chosen = order.slice(0, count).sort();
  return { ...task, items: [...chosen].map((i) => defined(task.items[i], 'item')) };
}

function readTaskFile(file: string): string {
  try {
    return readTextFile(file, largestYaml);
  } catch (error) {
    throw new CfsError({
      code: 'TASK_INVALID',
      message: `Could not read the task file: ${messageOf(error)}.`,
      remedy: 'Check the path in evaluation.tasks; it is relative to run.yaml.',
      place: { file },
      cause: error,
    });
  }
}

function columnOf(file: string, count: number): string[] {
  const lines = readLines(file);
  if (lines.length === count) return lines;
  throw new CfsError({
    code: 'TASK_DATA_INVALID',
    message: `The file has ${lines.length} lines for ${count} items.`,
    remedy: 'Give one line per item of the data, in the same order.',
    place: { file },
  });
}

function positionOf(yaml: YamlDocument.Parsed, lines: LineCounter, path: PropertyKey[]): Place {
  const node = yaml.getIn(path, true);
  if (!isNode(node) || !node.range) return {};
  const { line, col } = lines.linePos(node.range[0]);
  return { line, column: col };
}

function invalid(message: string, place: Place): CfsError {
  return new CfsError({
    code: 'TASK_INVALID',
    message,
    remedy: 'Correct the task file; docs/evaluation.md explains every field.',
    place,
  });
}
