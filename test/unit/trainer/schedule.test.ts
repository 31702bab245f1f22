import { describe, expect, it } from 'vitest';
import type { ScheduleName } from '../../../src/protocol/settings.js';
import { learningRateAt } from '../../../src/trainer/schedule.js';

function rates(name: ScheduleName, warmupSteps: number, steps: number): number[] {
  const schedule = { name, learningRate: 8, warmupSteps, steps };
  return Array.from({ length: steps }, (_, step) => learningRateAt(schedule, step));
}

describe('learningRateAt', () => {
  it('rises linearly from the first step, then stays, falls linearly or as a cosine', () => {
    expect(rates('constant', 4, 6)).toEqual([2, 4, 6, 8, 8, 8]);
    expect(rates('linear', 2, 6)).toEqual([4, 8, 8, 6, 4, 2]);
    const half = Math.SQRT1_2;
    const cosine = [4, 8, 8, 4 * (1 + half), 4, 4 * (1 - half)];
    rates('cosine', 2, 6).forEach((rate, i) => expect(rate).toBeCloseTo(cosine[i] ?? NaN, 12));
  });

  it('needs no warm-up, and may be all warm-up', () => {
    expect(rates('linear', 0, 4)).toEqual([8, 6, 4, 2]);
    expect(rates('cosine', 4, 4)).toEqual([2, 4, 6, 8]);
  });
});
