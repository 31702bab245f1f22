/**
 * Checking the values of `run.yaml`, whether they come from a file or from a form: everything wrong
 * is reported at once, each problem with its field and in plain words.
 */
import { z } from 'zod';
import { runConfigSchema } from './configSchema.js';
import type { RunConfig } from './configSchema.js';

export interface ConfigProblem {
  path: PropertyKey[];
  /** A sentence that names the field. */
  message: string;
  /** The same for a place where the field is in view. */
  short: string;
}

/** Of each kind so many are told: a file with more is something else than a configuration. */
const mostProblems = 50;

/** The configuration that the values make, or everything wrong with them. Paths stay as they are. */
export function checkFields(
  values: unknown,
): { config: RunConfig } | { problems: ConfigProblem[] } {
  const parsed = runConfigSchema.safeParse(values, { reportInput: true, error: inWords });
  const problems = parsed.error?.issues.slice(0, mostProblems).flatMap(describeIssue) ?? [];
  const seen = new Set(problems.map(({ path }) => fieldName(path)));
  // Records leave it out without a word.
  const unseen = pathsTo('__proto__', values)
    .filter((path) => !seen.has(fieldName(path)))
    .slice(0, mostProblems);
  problems.push(...unseen.map(unknownField));
  return parsed.success && problems.length === 0 ? { config: parsed.data } : { problems };
}

/** Where fields of this name are, however deep. */
function pathsTo(name: string, value: unknown, path: PropertyKey[] = []): PropertyKey[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inside]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    return key === name ? [at] : pathsTo(name, inside, at);
  });
}

function unknownField(path: PropertyKey[]): ConfigProblem {
  const key = String(path.at(-1));
  const message = `Unknown field \`${key}\`${didYouMean(key, path.slice(0, -1))}`;
  return { path, message, short: message };
}

function describeIssue(issue: z.core.$ZodIssue): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const { keys, path } = issue;
    return keys.slice(0, mostProblems).map((key) => unknownField([...path, key]));
  }
  const name = fieldName(issue.path);
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return [{ path: issue.path, message: `\`${name}\` is missing.`, short: 'Not chosen yet.' }];
  }
  const message = `\`${name === '' ? 'run.yaml' : name}\`: ${issue.message}.`;
  const short = `${issue.message.charAt(0).toUpperCase()}${issue.message.slice(1)}.`;
  return [{ path: issue.path, message, short }];
}

/** The library's own words are for programmers; those of the schema's own checks come first. */
function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  const { code } = issue;
  if (code === 'too_small') {
    if (issue.origin === 'string') return 'must not be empty';
    return `must be ${issue.inclusive === true ? 'at least' : 'above'} ${issue.minimum}`;
  }
  if (code === 'too_big') {
    return `must be ${issue.inclusive === true ? 'at most' : 'below'} ${issue.maximum}`;
  }
  if (code === 'invalid_type') return `must be ${kinds[issue.expected] ?? issue.expected}`;
  if (code === 'invalid_value') {
    return `must be one of ${issue.values.map((value) => `\`${String(value)}\``).join(', ')}`;
  }
  if (code === 'invalid_union') return 'must be text or a whole number';
  return undefined;
}

const kinds: Partial<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of fields',
  record: 'a group of fields',
};

/** Dotted, as in `training.epochs` and `dataset[0].path`. */
export function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** The nearest known field: in the same section first, then anywhere. */
function didYouMean(key: string, section: readonly PropertyKey[]): string {
  const paths = fieldPaths(runConfigSchema);
  const prefix = fieldName(section.filter((part) => typeof part !== 'number'));
  const isHere = (path: string): boolean =>
    path.slice(0, path.lastIndexOf('.') + 1) === prefix + (prefix === '' ? '' : '.');
  const ranked = paths
    .map((path) => {
      const leaf = path.slice(path.lastIndexOf('.') + 1);
      return { path, leaf, here: isHere(path), distance: editDistance(plain(key), plain(leaf)) };
    })
    .filter(({ leaf, here, distance }) => distance <= (here ? Math.max(1, leaf.length / 3) : 0))
    .toSorted((a, b) => Number(b.here) - Number(a.here) || a.distance - b.distance);
  const [best] = ranked;
  if (best === undefined) return '.';
  return `; did you mean \`${best.here ? best.leaf : best.path}\`?`;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '');
}

/** Every field of a schema as a dotted path, sections included. */
function fieldPaths(schema: z.core.$ZodType, prefix = ''): string[] {
  return Object.entries(shapeOf(schema)).flatMap(([key, field]) => [
    prefix + key,
    ...fieldPaths(field, `${prefix}${key}.`),
  ]);
}

/** The fields of an object schema, through defaults, lists and preprocessing; else none. */
export function shapeOf(schema: z.core.$ZodType): Record<string, z.core.$ZodType> {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodArray) return shapeOf(schema.element);
  if (schema instanceof z.ZodPipe) return shapeOf(schema.out);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return shapeOf(schema.unwrap());
  }
  return {};
}

/** Levenshtein distance; infinite where the lengths alone make it more than any that counts. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > Math.max(1, b.length / 3)) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
