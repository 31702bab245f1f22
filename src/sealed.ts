/**
 * JSON files that hold a checksum of their own content, so that a file which was truncated, edited or
 * mixed up is told from one that we wrote, whatever its schema still accepts. The seal is the last
 * key of the object: other programs read the file as before.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CfsError, messageOf } from './errors.js';
import { isSystemError, readError, writeFileAtomic } from './files.js';
import { parseJson } from './json.js';
import { readTextFile } from './reading.js';

const sealedSchema = z.looseObject({ seal: z.string() });

/** Writes `value` with its seal, atomically. Throws `WRITE_FAILED`. */
export function writeSealed(file: string, value: object): void {
  writeFileAtomic(file, `${JSON.stringify({ ...value, seal: sealOf(value) }, null, 2)}\n`);
}

/**
 * What `writeSealed` wrote; undefined where there is no such file. `unsealed`: what the file may hold
 * where it has no seal, since earlier versions wrote none. Throws `RECORD_BROKEN` with `remedy` for
 * what we did not write, and `READ_FAILED`.
 */
export function readSealed<T, U = never>(
  file: string,
  schema: z.ZodType<T>,
  { remedy, unsealed }: { remedy: string; unsealed?: z.ZodType<U> },
): T | U | undefined {
  const broken = (message: string, field?: string): CfsError =>
    new CfsError({ code: 'RECORD_BROKEN', message, remedy, place: { file, field } });
  const check = <S>(expected: z.ZodType<S>, value: unknown): S => {
    const parsed = expected.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join('.');
    throw broken(
      `This file is not what CFS Studio wrote: ${issue?.message ?? 'unknown shape'}.`,
      field === '' ? undefined : field,
    );
  };

  const text = readIfThere(file);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw broken(`This file was truncated or edited: ${messageOf(error)}.`);
  }
  if (unsealed && !sealedSchema.safeParse(json).success) return check(unsealed, json);
  const { seal, ...content } = check(sealedSchema, json);
  if (seal !== sealOf(content)) {
    throw broken('This file was edited or damaged: its content does not match its seal.');
  }
  return check(schema, content);
}

/** By content, not by spelling: spaces and line ends may change on the way through other tools. */
function sealOf(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

function readIfThere(file: string): string | undefined {
  try {
    return readTextFile(file);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'ENOENT') return undefined;
    throw readError(file, error);
  }
}
