/**
 * Settings by their dotted names, as in `training.learningRate`: how forms, comparisons and messages
 * name a field of `run.yaml`. A list is one value.
 */
import { own, setOwn } from '../own.js';

/** `run.yaml` as data, whole or in the making. */
export type Values = Record<string, unknown>;

/** Every setting that has a value, by its dotted name. */
export function flattenFields(values: Values, prefix = ''): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    if (isRecord(value)) Object.assign(flat, flattenFields(value, `${prefix}${key}.`));
    else if (value !== undefined) setOwn(flat, prefix + key, value);
  }
  return flat;
}

export function valueAt(values: Values, field: string): unknown {
  let value: unknown = values;
  for (const key of field.split('.')) value = isRecord(value) ? own(value, key) : undefined;
  return value;
}

/** `values` with one setting changed; they themselves are left as they are. */
export function withValue(values: Values, field: string, value: unknown): Values {
  const [key = '', ...rest] = field.split('.');
  if (rest.length === 0) return { ...values, [key]: value };
  const section = own(values, key);
  return { ...values, [key]: withValue(isRecord(section) ? section : {}, rest.join('.'), value) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
