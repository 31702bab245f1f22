/**
 * Reading and writing `run.yaml`. A person writes this file by hand, so everything wrong with it is
 * reported at once, each problem with its line and field, and a misspelt field with what was meant.
 *
 * Paths in the file are relative to the file; in memory they are absolute.
 */
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { Document, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { Node, YAMLMap } from 'yaml';
import { z } from 'zod';
import { CfsError, formatPlace, messageOf } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { checkFields, fieldName, shapeOf } from './configCheck.js';
import { runConfigSchema } from './configSchema.js';
import type { RunConfig } from './configSchema.js';
import { changeRule, changeWords } from './fieldRules.js';
import { mapPaths } from './paths.js';
import { own } from '../own.js';
import { readTextFile } from '../reading.js';
import { keyText, largestYaml, parseYaml } from '../yamlText.js';

/** The configuration of a file, or every problem it has (`CONFIG_INVALID`, with line and field). */
export type ConfigCheck = { config: RunConfig; problems: [] } | { problems: CfsError[] };

/** Checks the text of `file`. Throws nothing: a page shows the problems beside the text. */
export function checkRunConfig(text: string, file: string): ConfigCheck {
  const { document, lines, content, faults } = parseYaml(text);
  if (faults.length > 0) {
    return { problems: faults.map(({ message, ...place }) => problem(file, message, place)) };
  }
  const check = checkFields(content ?? {});
  if ('config' in check) {
    return { config: mapPaths(check.config, (path) => resolve(dirname(file), path)), problems: [] };
  }
  const problems = check.problems.map(({ path, message }) => {
    const { line, col } = lines.linePos(offsetOf(document, path));
    return problem(file, message, { line, column: col, field: fieldName(path) || undefined });
  });
  return { problems: problems.toSorted((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0)) };
}

/** The configuration in `text`. Throws one `CONFIG_INVALID` that lists every problem. */
export function parseRunConfig(text: string, file: string): RunConfig {
  const check = checkRunConfig(text, file);
  if ('config' in check) return check.config;
  const [first] = check.problems;
  if (first !== undefined && check.problems.length === 1) throw first;
  const list = check.problems.map(({ message, place: { line, column, field } }) => {
    const place = formatPlace({ file: `line ${line}`, column, field });
    return `\n  - ${place}: ${message}`;
  });
  throw new CfsError({
    code: 'CONFIG_INVALID',
    message: `There are ${list.length} problems.${list.join('')}`,
    remedy: 'Correct these lines; `cfs-studio validate` checks the file again.',
    place: first?.place ?? { file },
  });
}

/** Reads a `run.yaml`. Throws `CONFIG_UNREADABLE` and `CONFIG_INVALID`. */
export function readRunConfig(file: string): RunConfig {
  let text: string;
  try {
    text = readTextFile(file, largestYaml);
  } catch (error) {
    throw new CfsError({
      code: 'CONFIG_UNREADABLE',
      message: `Could not read the configuration: ${messageOf(error)}.`,
      remedy: 'Give the path of a run.yaml file.',
      place: { file },
      cause: error,
    });
  }
  return parseRunConfig(text, file);
}

/** The text of `config` for a file at `file`, each field with its sentence as a comment. */
export function stringifyRunConfig(config: RunConfig, file: string): string {
  const folder = dirname(resolve(file));
  const document = new Document(mapPaths(config, (path) => relativePath(folder, path)));
  if (isMap(document.contents)) addComments(document.contents, runConfigSchema);
  return document.toString({ lineWidth: 100 });
}

/** The dataset of a configuration as it stands in a file at `file`. */
export function stringifyDataset(dataset: RunConfig['dataset'], file: string): string {
  const folder = dirname(resolve(file));
  const part = mapPaths({ dataset }, (path) => relativePath(folder, path));
  return new Document(part).toString({ lineWidth: 100 });
}

/** Writes `config` to `file`, atomically. Throws `WRITE_FAILED`. */
export function writeRunConfig(config: RunConfig, file: string): void {
  writeFileAtomic(file, stringifyRunConfig(config, file));
}

/** Relative, with forward slashes, where it can be: another Windows drive stays absolute. */
function relativePath(folder: string, path: string): string {
  const found = relative(folder, path);
  if (isAbsolute(found)) return path;
  return found === '' ? '.' : found.split(sep).join('/');
}

function problem(file: string, message: string, place: CfsError['place']): CfsError {
  return new CfsError({
    code: 'CONFIG_INVALID',
    message,
    remedy: 'Correct this line; `cfs-studio validate` checks the file again.',
    place: { file, ...place },
  });
}

/** Where the field of `path` begins in the text; for a missing one, the section it belongs in. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyText(key) === String(part));
      // A single source stands for a list of one, and `part` is then its index.
      if (pair === undefined && typeof part === 'number') continue;
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** `prefix` is the dotted name of the section, with its dot. */
function addComments(map: YAMLMap, schema: z.core.$ZodType, prefix = ''): void {
  const shape = shapeOf(schema);
  map.items.forEach((pair, index) => {
    const key = pair.key;
    if (!isScalar(key)) return;
    const field = own(shape, String(key.value));
    const about = field instanceof z.ZodType ? field.description : undefined;
    const value = pair.value as Node | null;
    const name = prefix + String(key.value);
    const text = [about ?? '', changeWords[changeRule(name)]].filter((part) => part !== '');
    if (text.length > 0) key.commentBefore = text.join(' ').replace(/^/gm, ' ');
    if (prefix === '' && index > 0) key.spaceBefore = true;
    if (field !== undefined && isMap(value)) addComments(value, field, `${name}.`);
  });
}
