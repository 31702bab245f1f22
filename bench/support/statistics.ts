/** What repeated timings come to. */
import { defined } from '../../src/errors.js';

/** Of few values, so the extremes are given rather than a deviation. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** Of at least one value; the median of an even number is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => defined(sorted[index], 'value');
  const last = sorted.length - 1;
  return {
    median: (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2,
    low: at(0),
    high: at(last),
  };
}

/** `amount` per second, of how long it took; the fastest is `high`. */
export function rateOf(amount: number, seconds: readonly number[]): Spread {
  return spreadOf(seconds.map((value) => amount / value));
}

/** Relative distance of `a` from `b`; NaN counts as infinitely far. */
export function relativeError(a: number, b: number): number {
  const error = Math.abs(a - b) / Math.abs(b);
  return Number.isNaN(error) ? Infinity : error;
}
