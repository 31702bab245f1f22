/**
 * The paths in `run.yaml`. Which fields hold one is said once, in the schema: those that a file
 * dialog picks (`pick` in `protocol/form.ts`).
 */
import { z } from 'zod';
import { fieldHintsSchema } from '../protocol/form.js';
import { shapeOf } from './configCheck.js';
import { runConfigSchema } from './configSchema.js';
import { isRecord } from './fields.js';
import { own } from '../own.js';

/** Changes a path; `field` is the dotted name of the field that is picked, as in `dataset`. */
type ChangePath = (path: string, field: string) => string;

/** `values`, a configuration or one in the making, with every path in it changed. */
export function mapPaths<T extends object>(values: T, change: ChangePath): T {
  // Only strings are replaced, by strings, so the type stays.
  return mapField(runConfigSchema, values, undefined, '', change) as T;
}

/** Every path in `values` with its field. */
export function pathsIn(values: object): { field: string; path: string }[] {
  const found: { field: string; path: string }[] = [];
  mapPaths(values, (path, field) => {
    found.push({ field, path });
    return path;
  });
  return found;
}

/** `picked`: the field that `value` is a part of, once there is one that holds paths. */
function mapField(
  schema: z.core.$ZodType,
  value: unknown,
  picked: string | undefined,
  prefix: string,
  change: ChangePath,
): unknown {
  const shape = shapeOf(schema);
  if (typeof value === 'string') return picked === undefined ? value : change(value, picked);
  if (Array.isArray(value)) {
    return value.map((entry) => mapField(schema, entry, picked, prefix, change));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, entry]) => {
    const field = own(shape, key);
    if (field === undefined || (picked !== undefined && !isPicked(field))) return [key, entry];
    const name = prefix + key;
    const inside = picked ?? (isPicked(field) ? name : undefined);
    return [key, mapField(field, entry, inside, `${name}.`, change)];
  });
  return Object.fromEntries(entries) as unknown;
}

function isPicked(schema: z.core.$ZodType): boolean {
  const hints = fieldHintsSchema.safeParse(z.globalRegistry.get(schema));
  return hints.success && hints.data.pick !== undefined;
}
