import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/random.js';
import { defined } from '../../../src/errors.js';
import { compareAll, compareWithBase } from '../../../src/evaluator/compare.js';
import type { MetricResult } from '../../../src/evaluator/results.js';
import type { Measure } from '../../../src/evaluator/metrics.js';
import { estimate, pairedBootstrap } from '../../../src/evaluator/statistics.js';

const ones = (values: number[]): Measure[] => values.map((value) => ({ value, weight: 1 }));

function accuracy(answers: Record<string, boolean>): MetricResult {
  const items = Object.entries(answers).map(([id, correct]) => ({
    id,
    value: correct ? 1 : 0,
    weight: 1,
    correct,
    answer: { logprobs: [], characters: [], gold: 0 },
  }));
  const shared = { task: 't', metric: 'acc', unit: 'fraction', higherIsBetter: true } as const;
  return { ...shared, ...estimate(items, 'fraction'), n: items.length, items };
}

function loss(values: [sum: number, tokens: number][]): MetricResult {
  const items = values.map(([value, weight], i) => ({
    id: String(i),
    value,
    weight,
    answer: { logprob: -value, tokens: weight, greedy: false },
  }));
  const shared = {
    task: 'l',
    metric: 'nll_per_token',
    unit: 'nats',
    higherIsBetter: false,
  } as const;
  return { ...shared, ...estimate(items, 'nats'), n: items.length, items };
}

describe('estimate', () => {
  it('of a ratio has a standard error that repeated draws confirm', () => {
    const random = createRandom(5);
    const draw = (): Measure[] =>
      Array.from({ length: 200 }, () => {
        const weight = 1 + random.below(20);
        return { value: weight * (2 + 0.5 * random.normal()) + random.normal(), weight };
      });
    const estimates = Array.from({ length: 400 }, () => estimate(draw(), 'nats'));
    const scores = estimates.map(({ score }) => score);
    const mean = scores.reduce((a, b) => a + b) / scores.length;
    const spread = Math.sqrt(scores.reduce((a, s) => a + (s - mean) ** 2, 0) / (scores.length - 1));
    const claimed = estimates.reduce((a, { stderr }) => a + defined(stderr, 'stderr'), 0) / 400;
    expect(claimed / spread).toBeGreaterThan(0.9);
    expect(claimed / spread).toBeLessThan(1.1);
  });
});

describe('pairedBootstrap', () => {
  const before = ones([1, 1, 1, 1, 0, 0, 1, 0, 1, 1]);
  const after = ones([1, 0, 1, 1, 0, 0, 0, 0, 1, 1]);
  const interval = (seed: number): [number, number] =>
    pairedBootstrap(before, after, {
      unit: 'fraction',
      random: createRandom(seed),
      replicates: 2000,
      level: 0.95,
    });

  it('is the same for the same seed', () => {
    expect(interval(1)).toEqual(interval(1));
    expect(interval(1)).not.toEqual(interval(2).map((v) => v + 1e-9));
  });

  it('gives the quantiles of the binomial that two losses in ten items follow', () => {
    // The change of a replicate is −k/10 with k ∼ Binomial(10, 0.2): P(k ≥ 5) = 0.033 > 0.025 and
    // P(k ≥ 6) = 0.006, P(k = 0) = 0.107 > 0.025.
    expect(interval(3)).toEqual([-0.5, 0]);
  });

  it('has no width when every pair changes alike', () => {
    const shifted = before.map(({ value, weight }) => ({ value: value - 1, weight }));
    const [low, high] = pairedBootstrap(before, shifted, {
      unit: 'nats',
      random: createRandom(1),
      replicates: 100,
      level: 0.95,
    });
    expect(low).toBeCloseTo(-1, 12);
    expect(high).toBeCloseTo(-1, 12);
  });

  it('covers the true change about as often as it says', () => {
    const random = createRandom(11);
    const trials = 300;
    let covered = 0;
    for (let t = 0; t < trials; t++) {
      const pairs = Array.from({ length: 60 }, () => {
        const base = random.uniform() < 0.7 ? 1 : 0;
        return [base, random.uniform() < 0.2 ? 0 : base] as const;
      });
      const [low, high] = pairedBootstrap(
        ones(pairs.map(([b]) => b)),
        ones(pairs.map(([, a]) => a)),
        { unit: 'fraction', random, replicates: 200, level: 0.95 },
      );
      if (low <= -0.14 && -0.14 <= high) covered++;
    }
    expect(covered / trials).toBeGreaterThan(0.88);
    expect(covered / trials).toBeLessThan(0.99);
  });
});

describe('compareWithBase', () => {
  const base = accuracy({ a: true, b: true, c: false, d: true, e: false });

  it('counts and names the items that changed', () => {
    const current = accuracy({ a: true, b: false, c: true, d: false, e: false });
    const result = compareWithBase(base, current, { seed: 1 });
    expect(result).toMatchObject({
      n: 5,
      base: { score: 0.6 },
      current: { score: 0.4 },
      rightToWrong: { count: 2, ids: ['b', 'd'] },
      wrongToRight: { count: 1, ids: ['c'] },
    });
    expect(result.change).toBeCloseTo(-0.2, 12);
    expect(result.forgetting).toBeCloseTo(0.2, 12);
    const [low, high] = result.interval;
    expect(low).toBeLessThan(-0.2);
    expect(high).toBeGreaterThan(-0.2);
  });

  it('holds a subset against the same items of the full set', () => {
    const result = compareWithBase(base, accuracy({ c: true, d: true }), { seed: 1 });
    expect(result).toMatchObject({ n: 2, base: { score: 0.5 }, current: { score: 1 } });
    expect(result.forgetting).toBe(-0.5);
  });

  it('calls a greater loss forgetting', () => {
    const result = compareWithBase(
      loss([
        [2, 2],
        [9, 3],
      ]),
      loss([
        [4, 2],
        [11, 3],
      ]),
      { seed: 1 },
    );
    expect(result.change).toBeCloseTo(4 / 5, 12);
    expect(result.forgetting).toBeCloseTo(4 / 5, 12);
    expect(result.rightToWrong).toBeUndefined();
  });

  it('refuses results that do not belong together', () => {
    expect(() => compareWithBase(base, loss([[1, 1]]), { seed: 1 })).toThrow(/same task/);
    expect(() => compareWithBase(base, accuracy({ z: true }), { seed: 1 })).toThrow(/no items/);
  });

  it('pairs up lists and leaves out what has no partner', () => {
    const pairs = compareAll([base, loss([[1, 1]])], [loss([[2, 1]])], { seed: 1 });
    expect(pairs.map(({ task, change }) => [task, change])).toEqual([['l', 1]]);
  });
});
