/**
 * Small draws that every skill of the demo corpus needs, and the rule that splits training material
 * from held-out material. The split depends on the material alone, never on a seed: an item that
 * is held out once is held out for every corpus that this folder can generate.
 */
import { defined } from '../../src/errors.js';
import { permutation, type Random } from '../../src/random.js';

/** A uniform element of `values`. */
export function pick<T>(values: readonly T[], random: Random): T {
  return defined(values[random.below(values.length)], 'value to pick');
}

/** `count` different elements of `values`, in random order. */
export function pickSeveral<T>(values: readonly T[], count: number, random: Random): T[] {
  const order = [...permutation(values.length, random)].slice(0, count);
  return order.map((i) => defined(values[i], 'value to pick'));
}

/** `values` in random order. */
export function shuffle<T>(values: readonly T[], random: Random): T[] {
  return pickSeveral(values, values.length, random);
}

/** A uniform integer in [low, high]. */
export function between(low: number, high: number, random: Random): number {
  return low + random.below(high - low + 1);
}

/** FNV-1a over the UTF-16 code units of `key`, mixed once more so that `% n` is even. */
export function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x45d9f3b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Whether the item named `key` belongs to the held-out one of `parts` equal parts. */
export function isHeldOut(key: string, parts: number): boolean {
  return hash(key) % parts === 0;
}

/** Draws until `accept` says yes. */
export function drawUntil<T>(draw: () => T, accept: (value: T) => boolean): T {
  let value = draw();
  while (!accept(value)) value = draw();
  return value;
}

/** `count` different items by `keyOf`, drawn one after another. */
export function drawDistinct<T>(count: number, draw: () => T, keyOf: (item: T) => string): T[] {
  const items = new Map<string, T>();
  while (items.size < count) {
    const item = draw();
    const key = keyOf(item);
    if (!items.has(key)) items.set(key, item);
  }
  return [...items.values()];
}

/** Replaces each `{name}` in `template` by its binding. */
export function fill(template: string, bindings: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) =>
    defined(bindings[name], `binding for {${name}} in "${template}"`),
  );
}
