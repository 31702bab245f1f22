import { describe, expect, it } from 'vitest';
import type { SampleSummary } from '../../../src/protocol/inspector.js';
import {
  arrange,
  countFilters,
  defaultView,
  isBroken,
  parseBound,
  type View,
} from '../../../webview-ui/inspector/view.js';

const sample = (index: number, part: Partial<SampleSummary> = {}): SampleSummary => ({
  index,
  text: `text ${index}`,
  length: 10 * (index + 1),
  meanLogprob: -index - 0.5,
  repetition: index / 10,
  stop: 'eos',
  ...part,
});
// As written: a batch does not end in the order of its numbers.
const samples = [sample(2), sample(0), sample(1, { text: 'The Fox' }), sample(3)];
const shown = (part: Partial<View>, excluded: number[] = []): number[] =>
  arrange(samples, new Set(excluded), { ...defaultView, ...part }).map(({ index }) => index);

describe('which samples are shown', () => {
  it('is all of them as they were written, and the other way round', () => {
    expect(shown({})).toEqual([2, 0, 1, 3]);
    expect(shown({ descending: true })).toEqual([3, 1, 0, 2]);
  });

  it('follows the number that people sort by', () => {
    expect(shown({ sort: 'length' })).toEqual([0, 1, 2, 3]);
    expect(shown({ sort: 'meanLogprob' })).toEqual([3, 2, 1, 0]);
    expect(shown({ sort: 'repetition', descending: true })).toEqual([3, 2, 1, 0]);
  });

  it('keeps the written order among equals, in both directions', () => {
    const equal = [sample(5, { length: 7 }), sample(4, { length: 7 })];
    for (const descending of [false, true]) {
      const view: View = { ...defaultView, sort: 'length', descending };
      expect(arrange(equal, new Set(), view).map(({ index }) => index)).toEqual([5, 4]);
    }
  });

  it('finds words whatever their case, and keeps to bounds', () => {
    expect(shown({ search: ' fOX ' })).toEqual([1]);
    const ranges = { ...defaultView.ranges, length: { min: '20', max: '30' } };
    expect(shown({ ranges })).toEqual([2, 1]);
    const percent = { ...defaultView.ranges, repetition: { min: '', max: '10 %' } };
    expect(shown({ ranges: percent })).toEqual([0, 1]);
    const logprob = { ...defaultView.ranges, meanLogprob: { min: '−1,5', max: '' } };
    expect(shown({ ranges: logprob })).toEqual([0, 1]);
  });

  it('can be the excluded ones alone', () => {
    expect(shown({ onlyExcluded: true }, [3, 2])).toEqual([2, 3]);
  });

  it('does not change the list it is given', () => {
    shown({ sort: 'length', descending: true });
    expect(samples.map(({ index }) => index)).toEqual([2, 0, 1, 3]);
  });
});

it('reads bounds as people type them, and says which it cannot read', () => {
  expect(parseBound('−1.5')).toBe(-1.5);
  expect(parseBound(' 20 % ')).toBe(20);
  expect(parseBound('0,5')).toBe(0.5);
  expect(parseBound('')).toBeUndefined();
  expect(isBroken('many')).toBe(true);
  expect(isBroken('-')).toBe(true);
  expect(isBroken(' ')).toBe(false);
});

it('counts the filters that do something', () => {
  expect(countFilters(defaultView)).toBe(0);
  const ranges = { ...defaultView.ranges, length: { min: 'x', max: '' } };
  expect(countFilters({ ...defaultView, ranges, search: 'a', onlyExcluded: true })).toBe(2);
});
