/**
 * What happened over all tasks. Two views: one fine-tune beside its base (`summarize`), and a
 * sequence of stages as the continual-learning papers measure it, on a matrix `R[stage][task]`.
 */
import { assert, defined } from '../errors.js';
import type { ForgettingSummary } from '../protocol/records.js';
import type { Comparison } from './compare.js';

/**
 * Average and worst forgetting, apart for each unit: fractions, nats and perplexities do not add
 * up. Give one comparison per task, its headline metric.
 */
export function summarize(comparisons: readonly Comparison[]): ForgettingSummary[] {
  const units = [...new Set(comparisons.map(({ unit }) => unit))];
  return units.map((unit) => {
    const own = comparisons.filter((comparison) => comparison.unit === unit);
    const worst = own.reduce((a, b) => (b.forgetting > a.forgetting ? b : a));
    return {
      unit,
      tasks: own.length,
      averageForgetting: mean(own.map(({ forgetting }) => forgetting)),
      worst: { task: worst.task, forgetting: worst.forgetting },
    };
  });
}

/**
 * `R[stage][task]`: scores after each stage, higher being better in every column. Turn a column of
 * losses or perplexities round with `oriented` first; forgetting then is positive where it is worse.
 */
export type ScoreMatrix = readonly (readonly number[])[];

/** The matrix with the columns of lower-is-better tasks negated. */
export function oriented(scores: ScoreMatrix, higherIsBetter: readonly boolean[]): number[][] {
  return scores.map((row) =>
    row.map((score, j) => (defined(higherIsBetter[j], 'direction') ? score : -score)),
  );
}

/** Average accuracy after the last stage: `mean_j R[T][j]`. */
export function averageScore(scores: ScoreMatrix): number {
  return mean(rowOf(scores, scores.length - 1));
}

/**
 * Forgetting of each task after stage k: `max_{l<k} R[l][j] − R[k][j]` (Chaudhry et al. 2018). With
 * the base model as stage 0 this works from the first fine-tune on.
 */
export function forgettingAfter(scores: ScoreMatrix, stage: number): number[] {
  assert(stage >= 1, 'forgetting needs an earlier stage');
  const earlier = scores.slice(0, stage);
  return rowOf(scores, stage).map(
    (now, j) => Math.max(...earlier.map((row) => defined(row[j], 'score'))) - now,
  );
}

/**
 * Backward transfer: `mean_{i<T} (R[T][i] − R[i][i])` over the T − 1 earlier tasks (Lopez-Paz &
 * Ranzato 2017). The matrix is square: stage i trained on task i, no row for the base model.
 */
export function backwardTransfer(scores: ScoreMatrix): number {
  const last = lastOfSquare(scores);
  const final = rowOf(scores, last);
  return mean(final.slice(0, last).map((now, i) => now - cell(scores, i, i)));
}

/**
 * Forward transfer: `mean_{i≥2} (R[i−1][i] − untrained_i)` over the T − 1 later tasks (the same
 * paper). `untrained` holds the scores before any stage: here, the base model's.
 */
export function forwardTransfer(scores: ScoreMatrix, untrained: readonly number[]): number {
  const last = lastOfSquare(scores);
  const later = Array.from({ length: last }, (_, k) => k + 1);
  return mean(later.map((i) => cell(scores, i - 1, i) - defined(untrained[i], 'untrained score')));
}

function lastOfSquare(scores: ScoreMatrix): number {
  const size = scores.length;
  const square = scores.every((row) => row.length === size);
  assert(square && size >= 2, 'transfer needs a square matrix of at least two tasks');
  return size - 1;
}

function rowOf(scores: ScoreMatrix, stage: number): readonly number[] {
  return defined(scores[stage], 'stage');
}

function cell(scores: ScoreMatrix, stage: number, task: number): number {
  return defined(rowOf(scores, stage)[task], 'score');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
