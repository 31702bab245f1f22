import { describe, expect, it } from 'vitest';
import type { CfsError } from '../../../src/errors.js';
import { sampleCount } from '../../../src/generator/budget.js';

describe('sampleCount', () => {
  it.each([
    [{ fraction: 0.1 }, 4672, 468],
    [{ fraction: 0.07 }, 100, 7],
    [{ fraction: 2 }, 50, 100],
    [{ fraction: 0.1 }, 3, 1],
    [{ count: 500 }, 10, 500],
  ])('of %j for %i rows is %i', (budget, rows, expected) => {
    expect(sampleCount(budget, rows)).toBe(expected);
  });

  it.each([
    [{ fraction: 0 }, 'fraction'],
    [{ fraction: NaN }, 'fraction'],
    [{ count: 0 }, 'count'],
    [{ count: 1.5 }, 'count'],
  ])('refuses %j', (budget, field) => {
    let failure: unknown;
    try {
      sampleCount(budget, 100);
    } catch (error) {
      failure = error;
    }
    expect((failure as CfsError).code).toBe('BUDGET_INVALID');
    expect((failure as CfsError).place.field).toBe(field);
  });
});
