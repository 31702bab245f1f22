/**
 * Which samples are shown and in which order. Pure, so that the page can ask as often as it likes
 * and a test can ask without a page.
 */
import { z } from 'zod';
import type { SampleSummary } from '../../src/protocol/inspector.js';
import { foldCase, searchedFor } from './text.js';

const sortKeys = ['written', 'meanLogprob', 'length', 'repetition'] as const;
export type SortKey = (typeof sortKeys)[number];

/** The numbers of a sample that can be filtered by. */
export const rangeKeys = ['meanLogprob', 'length', 'repetition'] as const;
export type RangeKey = (typeof rangeKeys)[number];

/** The bounds as typed; a bound that is no number is not applied. Repetition is in percent. */
const rangeSchema = z.object({ min: z.string(), max: z.string() });
export type Range = z.infer<typeof rangeSchema>;

export const viewSchema = z.object({
  sort: z.enum(sortKeys),
  descending: z.boolean(),
  search: z.string(),
  ranges: z.object({ meanLogprob: rangeSchema, length: rangeSchema, repetition: rangeSchema }),
  onlyExcluded: z.boolean(),
});
export type View = z.infer<typeof viewSchema>;

const anywhere: Range = { min: '', max: '' };
export const noFilters = {
  search: '',
  ranges: { meanLogprob: anywhere, length: anywhere, repetition: anywhere },
  onlyExcluded: false,
};
export const defaultView: View = { sort: 'written', descending: false, ...noFilters };

/** The samples that pass every filter, in order; equal ones stay as they were written. */
export function arrange(
  samples: readonly SampleSummary[],
  excluded: ReadonlySet<number>,
  view: View,
): readonly SampleSummary[] {
  const wanted = searchedFor(view.search);
  const bounds = rangeKeys.map((key) => ({ key, ...boundsOf(key, view.ranges[key]) }));
  const shown = samples.filter(
    (sample) =>
      (!view.onlyExcluded || excluded.has(sample.index)) &&
      bounds.every(({ key, min, max }) => sample[key] >= min && sample[key] <= max) &&
      (wanted === '' || foldCase(sample.text).includes(wanted)),
  );
  const { sort } = view;
  if (sort === 'written') return view.descending ? shown.reverse() : shown;
  const sign = view.descending ? -1 : 1;
  return shown.sort((a, b) => sign * (a[sort] - b[sort]));
}

/** How many filters are set. */
export function countFilters(view: View): number {
  const ranges = rangeKeys.filter((key) => {
    const { min, max } = view.ranges[key];
    return parseBound(min) !== undefined || parseBound(max) !== undefined;
  });
  return ranges.length + (view.search.trim() === '' ? 0 : 1) + (view.onlyExcluded ? 1 : 0);
}

/** The number that a bound says, as people type it (`-1,5`, `−1.5`, `20 %`), if it is one. */
export function parseBound(text: string): number | undefined {
  const plain = text.replace('−', '-').replace(',', '.').replace('%', '').trim();
  const value = Number(plain);
  return plain === '' || !Number.isFinite(value) ? undefined : value;
}

/** Whether a bound is written but is not a number. */
export function isBroken(text: string): boolean {
  return text.trim() !== '' && parseBound(text) === undefined;
}

function boundsOf(key: RangeKey, range: Range): { min: number; max: number } {
  const unit = key === 'repetition' ? 0.01 : 1;
  const [min, max] = [parseBound(range.min), parseBound(range.max)];
  return {
    min: min === undefined ? -Infinity : min * unit,
    max: max === undefined ? Infinity : max * unit,
  };
}
