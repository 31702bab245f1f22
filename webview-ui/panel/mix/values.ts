/** The values of the form: nested plain data, never changed in place, read and set by path. */
import { own, setOwn } from '../../../src/own.js';

export type Values = Record<string, unknown>;
export type Path = readonly (string | number)[];

export function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Dotted, with brackets around indices, as problems name a field: `dataset[0].path`. */
export function dotted(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}

export function getAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, part) => {
    if (Array.isArray(at)) return typeof part === 'number' ? (at as unknown[])[part] : undefined;
    return isRecord(at) ? own(at, String(part)) : undefined;
  }, data);
}

/** With `undefined`, the field is unset: what is left empty by that goes too, an entry moves up. */
export function setAt(data: Values, path: Path, value: unknown): Values {
  const changed = change(data, path, value);
  return isRecord(changed) ? changed : {};
}

function change(data: unknown, [head, ...rest]: Path, value: unknown): unknown {
  if (head === undefined) return value;
  if (typeof head === 'number') {
    const list: unknown[] = Array.isArray(data) ? [...(data as unknown[])] : [];
    if (rest.length === 0 && value === undefined) list.splice(head, 1);
    else list[head] = change(list[head], rest, value) ?? {};
    return list.length === 0 ? undefined : list;
  }
  const next: Values = isRecord(data) ? { ...data } : {};
  const part = change(own(next, head), rest, value);
  const isEmpty = part === undefined || (isRecord(part) && Object.keys(part).length === 0);
  if (isEmpty) return Object.fromEntries(Object.entries(next).filter(([name]) => name !== head));
  setOwn(next, head, part);
  return next;
}

/** What is typed as a number; text that is none is kept, so that the check can say so. */
export function parseNumber(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const number = Number(trimmed);
  return Number.isFinite(number) ? number : text;
}

/** A value as shown in its field. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
