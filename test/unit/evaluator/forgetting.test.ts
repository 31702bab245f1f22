import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../../src/evaluator/compare.js';
import {
  averageScore,
  backwardTransfer,
  forgettingAfter,
  forwardTransfer,
  oriented,
  summarize,
} from '../../../src/evaluator/forgetting.js';

const close = (values: number[]): number[] =>
  values.map((value) => expect.closeTo(value, 12) as number);

describe('on a matrix of stages and tasks', () => {
  // Three tasks learned one after another.
  const scores = [
    [0.8, 0.3, 0.2],
    [0.7, 0.9, 0.25],
    [0.75, 0.6, 0.95],
  ];

  it('average score is over the last stage', () => {
    expect(averageScore(scores)).toBeCloseTo((0.75 + 0.6 + 0.95) / 3, 12);
  });

  it('forgetting is the best earlier score less the score now', () => {
    expect(forgettingAfter(scores, 1)).toEqual(close([0.1, -0.6, -0.05]));
    // Task 0 was best at stage 0, not at the stage before.
    expect(forgettingAfter(scores, 2)).toEqual(close([0.05, 0.3, -0.7]));
  });

  it('backward transfer compares the end with the stage that learned the task', () => {
    expect(backwardTransfer(scores)).toBeCloseTo((0.75 - 0.8 + (0.6 - 0.9)) / 2, 12);
  });

  it('forward transfer compares the stage before learning with no training at all', () => {
    expect(forwardTransfer(scores, [0.1, 0.2, 0.3])).toBeCloseTo(
      (0.3 - 0.2 + (0.25 - 0.3)) / 2,
      12,
    );
  });

  it('turns losses round, so that a greater loss is forgetting', () => {
    const mixed = [
      [0.8, 2.0],
      [0.7, 3.5],
    ];
    expect(forgettingAfter(oriented(mixed, [true, false]), 1)).toEqual(close([0.1, 1.5]));
  });

  it('refuses a matrix on which a measure has no meaning', () => {
    expect(() => forgettingAfter(scores, 0)).toThrow(/earlier stage/);
    expect(() => backwardTransfer([[1, 2]])).toThrow(/square/);
  });
});

describe('summarize', () => {
  const comparison = (task: string, unit: Comparison['unit'], forgetting: number): Comparison => ({
    task,
    unit,
    forgetting,
    metric: 'acc',
    higherIsBetter: true,
    n: 1,
    base: { score: 0, stderr: undefined },
    current: { score: 0, stderr: undefined },
    change: -forgetting,
    interval: [0, 0],
    level: 0.95,
  });

  it('keeps units apart and names the worst task of each', () => {
    const summary = summarize([
      comparison('a', 'fraction', 0.1),
      comparison('b', 'nats', 1.2),
      comparison('c', 'fraction', 0.4),
      comparison('d', 'fraction', -0.2),
    ]);
    expect(summary).toEqual([
      {
        unit: 'fraction',
        tasks: 3,
        averageForgetting: expect.closeTo(0.1, 12) as number,
        worst: { task: 'c', forgetting: 0.4 },
      },
      { unit: 'nats', tasks: 1, averageForgetting: 1.2, worst: { task: 'b', forgetting: 1.2 } },
    ]);
  });
});
