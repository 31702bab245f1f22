/**
 * The door through which the small files of a model folder come in: one place that keeps links from
 * leading out of the folder, and that turns missing, broken and misshapen files into clear errors.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
import { isSystemError } from '../files.js';
import { jsonPlace, parseJson } from '../json.js';
import * as reading from '../reading.js';

/**
 * The path of `name` in `folder`, or undefined when there is no such file. Throws
 * `MODEL_PATH_OUTSIDE` for a name or a link that leads out of the folder. The links of a Hugging
 * Face cache (`snapshots/<revision>/x` → `blobs/<hash>` of the same repository) are allowed.
 */
export function fileInFolder(folder: string, name: string): string | undefined {
  const file = join(folder, name);
  if (isAbsolute(name) || name.includes('\\') || name.split('/').includes('..')) {
    throw outside(folder, name);
  }
  if (!existsSync(file)) return undefined;
  const root = realpathSync(folder);
  const roots = [root];
  if (basename(dirname(root)) === 'snapshots') roots.push(join(root, '..', '..', 'blobs'));
  const real = realpathSync(file);
  if (!roots.some((allowed) => isWithin(allowed, real))) throw outside(folder, name);
  return file;
}

/**
 * `name` in `folder`, parsed and checked by `schema`; undefined when there is no such file. Throws
 * `MODEL_FILE_INVALID` naming file and field.
 */
export function readJsonInFolder<T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
): T | undefined {
  const file = fileInFolder(folder, name);
  return file === undefined ? undefined : readJsonFile(file, schema);
}

function readJsonFile<T>(file: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(parse(file, readText(file)));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CfsError({
    code: 'MODEL_FILE_INVALID',
    message: `${basename(file)} is not as expected: ${issue?.message ?? result.error.message}.`,
    remedy: 'Download the file again from the source of the model.',
    place: { file, field: issue?.path.join('.') },
    cause: result.error,
  });
}

/** The text of a file of the model folder. Throws `MODEL_FILE_UNREADABLE`. */
export function readText(file: string): string {
  return readBytes(file).toString('utf8');
}

/** The bytes of a file that is not weights. Throws `MODEL_FILE_UNREADABLE`. */
export function readBytes(file: string): Buffer {
  return whileReading(file, () => reading.readFile(file));
}

/** Throws what `readBytes` would throw, without reading: `MODEL_FILE_UNREADABLE`. */
export function requireReadable(file: string): void {
  whileReading(file, () => reading.requireReadable(file));
}

function whileReading<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isSystemError(error) ? unreadable(file, messageOf(error), error) : error;
  }
}

function parse(file: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new CfsError({
      code: 'MODEL_FILE_INVALID',
      message: `${basename(file)} is not valid JSON: ${messageOf(error)}.`,
      remedy: 'Download the file again from the source of the model.',
      place: { file, ...jsonPlace(error) },
      cause: error,
    });
  }
}

function unreadable(file: string, why: string, cause?: unknown): CfsError {
  return new CfsError({
    code: 'MODEL_FILE_UNREADABLE',
    message: `Could not read ${basename(file)}: ${why}.`,
    remedy: 'Check the file and its permissions.',
    place: { file },
    cause,
  });
}

function outside(folder: string, name: string): CfsError {
  return new CfsError({
    code: 'MODEL_PATH_OUTSIDE',
    message: `"${name}" points outside the model folder.`,
    remedy: 'Put the file itself into the model folder, instead of a link or a path.',
    place: { file: folder, field: name },
  });
}

function isWithin(root: string, file: string): boolean {
  const path = relative(root, file);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
