import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import type { MixedStep } from '../../../src/mixer/mixer.js';
import { objectives } from '../../../src/trainer/objective.js';

/** Rows with 3 and 2 targets from the dataset, and 5 from a sample. */
const step: MixedStep = {
  epoch: 0,
  index: 0,
  rows: [
    [0, 0, 1, 1, 1],
    [0, 1, 1],
    [0, 1, 1, 1, 1, 1],
  ].map((flags) => ({
    ids: Int32Array.from(flags, () => 7),
    supervised: Uint8Array.from(flags),
  })),
  sources: ['dataset', 'dataset', 'cfs'],
  rowIndices: [4, 2, 0],
};

function weights(name: string, lambda: number, mixed: MixedStep = step): number[] {
  return [...defined(objectives[name], name)({ lambda }).rowWeights(mixed)];
}

describe('objectives', () => {
  it('weigh each kind by its own number of targets, samples by lambda', () => {
    expect(weights('cfs', 1)).toEqual([0.2, 0.2, 0.2].map(Math.fround));
    expect(weights('cfs', 2.5)).toEqual([0.2, 0.2, 0.5].map(Math.fround));
    expect(weights('cfs', 0)).toEqual([0.2, 0.2, 0].map(Math.fround));
    expect(weights('sft', 2.5)).toEqual([0.2, 0.2, 0].map(Math.fround));
  });

  it('hold where a step has rows of one kind only', () => {
    const alone = (keep: string): MixedStep => {
      const kept = step.sources.flatMap((source, i) => (source === keep ? i : []));
      return {
        ...step,
        rows: kept.map((i) => defined(step.rows[i], 'row')),
        sources: kept.map((i) => defined(step.sources[i], 'source')),
      };
    };
    expect(weights('cfs', 2, alone('dataset'))).toEqual([0.2, 0.2].map(Math.fround));
    expect(weights('cfs', 2, alone('cfs'))).toEqual([0.4].map(Math.fround));
  });
});
