/** Means over seeds with their intervals: what a handful of runs can and cannot say. */
import { assert, defined } from '../../src/errors.js';

export interface Spread {
  mean: number;
  /** 95 % interval of the mean; undefined for a single value. */
  interval: [low: number, high: number] | undefined;
}

/** 97.5 % quantiles of Student's t with 1, 2, … degrees of freedom. */
const tQuantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Seeds that `spreadOf` has a quantile for. */
export const mostSeeds = tQuantiles.length + 1;

/** `mean ± t · s / √n`, Student's interval for the mean of n independent runs. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  assert(n > 0 && n <= mostSeeds, `${n} values for an interval`);
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { mean, interval: undefined };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const reach = defined(tQuantiles[n - 2], 'quantile') * Math.sqrt(squares / (n - 1) / n);
  return { mean, interval: [mean - reach, mean + reach] };
}

/** Which side of zero the whole interval lies on; 0 when it includes 0 or there is none. */
export function signOf({ interval }: Spread): -1 | 0 | 1 {
  if (interval === undefined) return 0;
  const [low, high] = interval;
  if (low > 0) return 1;
  return high < 0 ? -1 : 0;
}
