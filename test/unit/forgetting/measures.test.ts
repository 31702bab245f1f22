/** Reading runs for docs/results.md: curves, equal loss, intervals, and the words chosen by them. */
import { describe, expect, it } from 'vitest';
import {
  atLoss,
  commonLoss,
  curveOf,
  endOf,
  type Point,
} from '../../../scripts/forgetting/measures.js';
import type { SeedPair } from '../../../scripts/forgetting/pairs.js';
import { describeReading } from '../../../scripts/forgetting/reading.js';
import { signOf, spreadOf } from '../../../scripts/forgetting/statistics.js';
import { codeBlock, signed, spreadText, table } from '../../../scripts/forgetting/text.js';
import type { RunEvent, TaskScore } from '../../../src/protocol/records.js';

const time = '2026-01-02T00:00:00.000Z';

/** Base scores: E2E 5, stories 2, BLiMP 0.8 and 0.6, LAMBADA 0.1 at perplexity e². */
function scores(moved: number): TaskScore[] {
  const one = (task: string, metric: string, score: number, change: number): TaskScore => {
    return { task, metric, higherIsBetter: metric === 'acc', score, stderr: null, n: 9, change };
  };
  const perplexity = Math.exp(2 + moved);
  return [
    one('tinystories', 'nll_per_token', 2 + moved, moved),
    one('tinystories', 'token_perplexity', 8, 1),
    one('lambada', 'acc', 0.1 - moved / 100, -moved / 100),
    one('lambada', 'perplexity', perplexity, perplexity - Math.exp(2)),
    one('blimp_a', 'acc', 0.8 - moved / 10, -moved / 10),
    one('blimp_b', 'acc', 0.6, 0),
  ];
}

function evaluation(step: number, loss: number, moved: number, kind: 'subset' | 'full'): RunEvent {
  const downstream: TaskScore = {
    task: 'downstream',
    metric: 'nll_per_token',
    higherIsBetter: false,
    score: loss,
    stderr: 0.1,
    n: 9,
    change: loss - 5,
  };
  const kl = { mean: 10 * moved, stderr: 1, samples: 4 };
  return { type: 'evaluation', time, step, kind, tasks: scores(moved), kl, downstream };
}

const started = (step: number): RunEvent => {
  return { type: 'run_started', time, step, provider: 'cpu', versions: {} };
};

describe('the curve of a run', () => {
  const curve = curveOf([
    started(0),
    evaluation(0, 4.9, 0, 'full'),
    evaluation(10, 4, 0.2, 'subset'),
    evaluation(20, 99, 99, 'subset'),
    started(10),
    evaluation(20, 3, 0.6, 'subset'),
    evaluation(25, 2.9, 0.7, 'full'),
  ]);

  it('begins with the base model on the same items and leaves out what a resumed run undid', () => {
    expect(curve.map(({ step }) => step)).toEqual([0, 10, 20]);
    expect(curve[0]?.values).toEqual({
      downstream: 5,
      stories: 0,
      blimp: 0,
      lambada: 0,
      lambadaLoss: 0,
      kl: 0,
    });
  });

  it('holds changes from the base model, accuracies in points', () => {
    const { values } = curve[2] as Point;
    expect(values.downstream).toBe(3);
    expect(values.stories).toBeCloseTo(0.6, 12);
    expect(values.blimp).toBeCloseTo(-3, 12);
    expect(values.lambada).toBeCloseTo(-0.6, 12);
    expect(values.lambadaLoss).toBeCloseTo(0.6, 12);
    expect(values.kl).toBeCloseTo(6, 12);
  });

  it('is read linearly where it first reaches a loss', () => {
    const point = atLoss(curve, 3.25);
    expect(point.step).toBeCloseTo(17.5, 12);
    expect(point.values.downstream).toBeCloseTo(3.25, 12);
    expect(point.values.stories).toBeCloseTo(0.5, 12);
    expect(atLoss(curve, 3)).toEqual(curve[2]);
    expect(atLoss(curve, 6)).toBe(curve[0]);
    expect(() => atLoss(curve, 2.99)).toThrow('2.99');
  });

  it('has its first crossing taken, even where it rises again', () => {
    const again = curveOf([
      evaluation(10, 3, 0.2, 'subset'),
      evaluation(20, 4, 0.4, 'subset'),
      evaluation(30, 2, 0.8, 'subset'),
    ]);
    expect(atLoss(again, 3.5).step).toBeCloseTo(7.5, 12);
    expect(commonLoss([again, curve])).toBe(3);
  });
});

it('reads the end of a run from its results', () => {
  const results = {
    method: 'sft' as const,
    steps: 25,
    savedStep: 25,
    provider: 'cpu',
    tasks: scores(0.5).map(({ task, metric, higherIsBetter, score, n, change }) => ({
      task,
      metric,
      higherIsBetter,
      n,
      base: { score: (score ?? NaN) - (change ?? NaN), stderr: null },
      final: { score, stderr: null },
      change: change ?? null,
    })),
    downstream: {
      task: 'downstream',
      metric: 'nll_per_token',
      higherIsBetter: false,
      n: 9,
      base: { score: 5, stderr: null },
      final: { score: 2.5, stderr: null },
      change: -2.5,
    },
    forgetting: [],
    kl: { mean: 7, stderr: 1, samples: 4 },
    timings: {},
    versions: {},
  };
  const { step, values } = endOf(results);
  expect(step).toBe(25);
  expect(values.downstream).toBe(2.5);
  expect(values.kl).toBe(7);
  expect(values.blimp).toBeCloseTo(-2.5, 12);
  expect(() => endOf({ ...results, kl: undefined })).toThrow('missing');
});

describe('intervals over seeds', () => {
  it('are Student’s', () => {
    // scipy.stats.t.interval(0.95, 2, loc=2, scale=1/sqrt(3)) = (-0.484, 4.484)
    const { mean, interval } = spreadOf([1, 2, 3]);
    expect(mean).toBe(2);
    expect(interval?.[0]).toBeCloseTo(-0.484, 3);
    expect(interval?.[1]).toBeCloseTo(4.484, 3);
  });

  it('say nothing for one seed and take a side only when they lie on it', () => {
    expect(spreadOf([4])).toEqual({ mean: 4, interval: undefined });
    expect(signOf(spreadOf([4]))).toBe(0);
    expect(signOf(spreadOf([1, 2, 3]))).toBe(0);
    expect(signOf(spreadOf([-2, -2.1, -1.9]))).toBe(-1);
  });
});

describe('the reading', () => {
  const values = (stories: number) => {
    return { downstream: 3, stories, blimp: 0, lambada: 0, lambadaLoss: 0, kl: 0 };
  };
  const read = (standard: number[], cfs: number[]): string => {
    const pairs = standard.map((stories, seed) => {
      const equal = {
        sft: { step: 10, values: values(stories) },
        cfs: { step: 20, values: values(cfs[seed] ?? NaN) },
      };
      const runs = { sft: { end: equal.sft }, cfs: { end: equal.cfs } };
      return { seed, loss: 3, equal, runs } as unknown as SeedPair;
    });
    return describeReading(pairs).join('\n');
  };

  it('says what the numbers say, whichever way they point', () => {
    expect(read([1, 1.1, 0.9], [0.2, 0.3, 0.25])).toContain('CFS forgets less (75 % less)');
    expect(read([0.2, 0.3, 0.25], [1, 1.1, 0.9])).toContain('CFS forgets more, by +0.750');
    expect(read([1, 0.2, 0.6], [0.2, 0.9, 0.5])).toMatch(/TinyStories.*inconclusive/);
    expect(read([1], [0.4])).toContain('In this one seed CFS forgets less (60 % less).');
    expect(read([-1, -1.1, -0.9], [-0.2, -0.1, -0.15])).toContain('CFS is behind, by +0.850');
    expect(read([1, 1.1, 0.9], [-0.2, -0.1, -0.15])).not.toContain('% less');
  });
});

it('writes numbers, tables and blocks', () => {
  expect(signed(-0.04, 1, true)).toBe('0.0');
  expect(signed(1.25, 2, true)).toBe('+1.25');
  expect(signed(-1.25, 2, false)).toBe('−1.25');
  expect(spreadText({ mean: 1, interval: [-1, 3] }, 1, true)).toBe('+1.0 [−1.0, +3.0]');
  expect(table(['a', 'b'], [['x', '1']], 1)).toBe('| a | b |\n| --- | ---: |\n| x | 1 |');
  expect(codeBlock('text', 'a ``` b')).toBe('````text\na ``` b\n````');
});
