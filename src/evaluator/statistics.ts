/** Estimates with their uncertainty, for every metric of the form `finish(Σ value / Σ weight)`. */
import { assert, defined } from '../errors.js';
import type { Random } from '../random.js';
import type { MetricUnit } from '../protocol/metrics.js';
import type { Measure } from './metrics.js';
import { finish, finishSlope } from './metrics.js';

export interface ScoreEstimate {
  score: number;
  /** Standard error; undefined for a single item, which says nothing about its own spread. */
  stderr: number | undefined;
}

/**
 * The score and its standard error by the delta method: with r = Σv/Σw and residuals v − r·w,
 * `se(r) = √(n/(n−1) · Σ(v − r·w)²) / Σw`, times the slope of `finish`. For weights of 1 this is the
 * sample standard deviation over √n, as lm-evaluation-harness has it for a mean.
 */
export function estimate(measures: readonly Measure[], unit: MetricUnit): ScoreEstimate {
  const n = measures.length;
  const { value, weight } = total(measures);
  assert(weight > 0, 'a score needs some weight');
  const mean = value / weight;
  const squares = measures.reduce((sum, m) => sum + (m.value - mean * m.weight) ** 2, 0);
  const spread = Math.sqrt((n / (n - 1)) * squares) / weight;
  return {
    score: finish(unit, mean),
    stderr: n < 2 ? undefined : spread * finishSlope(unit, mean),
  };
}

/**
 * Percentile bootstrap interval of `score(after) − score(before)`, items resampled in pairs (the
 * same draw for both). `level` 0.95 gives the 2.5 and 97.5 percentiles.
 */
export function pairedBootstrap(
  before: readonly Measure[],
  after: readonly Measure[],
  options: { unit: MetricUnit; random: Random; replicates: number; level: number },
): [low: number, high: number] {
  const n = before.length;
  assert(n > 0 && after.length === n, 'a paired bootstrap needs pairs');
  const { unit, random, replicates, level } = options;
  const differences = new Float64Array(replicates);
  for (let r = 0; r < replicates; r++) {
    const sums = [0, 0, 0, 0] as [number, number, number, number];
    for (let i = 0; i < n; i++) {
      const pick = random.below(n);
      const b = defined(before[pick], 'item');
      const a = defined(after[pick], 'item');
      sums[0] += b.value;
      sums[1] += b.weight;
      sums[2] += a.value;
      sums[3] += a.weight;
    }
    differences[r] = finish(unit, sums[2] / sums[3]) - finish(unit, sums[0] / sums[1]);
  }
  differences.sort();
  const tail = (1 - level) / 2;
  return [percentile(differences, tail), percentile(differences, 1 - tail)];
}

function total(measures: readonly Measure[]): Measure {
  return measures.reduce(
    (sum, m) => ({ value: sum.value + m.value, weight: sum.weight + m.weight }),
    { value: 0, weight: 0 },
  );
}

/** Linear interpolation between order statistics, as NumPy's default. */
function percentile(sorted: Float64Array, fraction: number): number {
  const at = fraction * (sorted.length - 1);
  const low = defined(sorted[Math.floor(at)], 'value');
  const high = defined(sorted[Math.ceil(at)], 'value');
  return low + (high - low) * (at - Math.floor(at));
}
