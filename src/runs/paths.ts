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

type ChangePath = (path: string) => string;

/** `values`, a configuration or one in the making, with every path in it changed. */
export function mapPaths<T extends object>(values: T, change: ChangePath): T {
  // Only strings are replaced, by strings, so the type stays.
  return mapField(runConfigSchema, values, false, change) as T;
}

/** Every path in `values`. */
export function pathsIn(values: object): string[] {
  const found: string[] = [];
  mapPaths(values, (path) => {
    found.push(path);
    return path;
  });
  return found;
}

/** `picked`: whether `value` is a part of a field that holds paths. */
function mapField(
  schema: z.core.$ZodType,
  value: unknown,
  picked: boolean,
  change: ChangePath,
): unknown {
  const shape = shapeOf(schema);
  if (typeof value === 'string') return picked ? change(value) : value;
  if (Array.isArray(value)) return value.map((entry) => mapField(schema, entry, picked, change));
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, entry]) => {
    const field = own(shape, key);
    if (field === undefined || (picked && !isPicked(field))) return [key, entry];
    return [key, mapField(field, entry, picked || isPicked(field), change)];
  });
  return Object.fromEntries(entries) as unknown;
}

function isPicked(schema: z.core.$ZodType): boolean {
  const hints = fieldHintsSchema.safeParse(z.globalRegistry.get(schema));
  return hints.success && hints.data.pick !== undefined;
}
