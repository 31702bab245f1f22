/**
 * How many samples to generate. The paper states it as a fraction of the downstream rows (10 %
 * already works); a plain count is for people who know what they want.
 */
import { CfsError } from '../errors.js';

/** `{ fraction: 0.1 }`: a tenth as many samples as dataset rows. `{ count: 500 }`: exactly 500. */
export type Budget = { fraction: number } | { count: number };

/**
 * The number of samples for a dataset of `rows` rows; a fraction is rounded up, so that a small
 * dataset still gets its share. Throws `BUDGET_INVALID`.
 */
export function sampleCount(budget: Budget, rows: number): number {
  if ('count' in budget) {
    if (!Number.isInteger(budget.count) || budget.count < 1) {
      throw invalid('count', budget.count, 'Set a whole number of samples, at least 1.');
    }
    return budget.count;
  }
  if (!Number.isFinite(budget.fraction) || budget.fraction <= 0) {
    throw invalid('fraction', budget.fraction, 'Set a fraction above 0, such as 0.1 for 10 %.');
  }
  // 0.07 × 100 is 7.000000000000001 in floating point: that must stay 7.
  return Math.max(1, Math.ceil(budget.fraction * rows - 1e-9));
}

function invalid(field: string, value: number, remedy: string): CfsError {
  return new CfsError({
    code: 'BUDGET_INVALID',
    message: `The generation budget's ${field} is ${value}.`,
    remedy,
    place: { field },
  });
}
