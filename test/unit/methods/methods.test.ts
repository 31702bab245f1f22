/** What the methods weigh, and what is asked of every one of them. */
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { methodLabel, methodNames, methodOf, methods } from '../../../src/methods/index.js';
import type { MixedStep } from '../../../src/mixer/step.js';
import { sourceRoles } from '../../../src/protocol/sourceRoles.js';

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
  const method = defined(methodOf(name), name);
  return [...method.targetWeights(mixed, { lambda, own: {} })];
}

const fill = (...runs: [weight: number, count: number][]): number[] =>
  runs.flatMap(([weight, count]) => new Array<number>(count).fill(Math.fround(weight)));

describe('the weights of the supervised tokens', () => {
  it('are by source, each by its own number of tokens, samples by lambda', () => {
    expect(weights('cfs', 1)).toEqual(fill([0.2, 5], [0.2, 5]));
    expect(weights('cfs', 2.5)).toEqual(fill([0.2, 5], [0.5, 5]));
    expect(weights('cfs', 0)).toEqual(fill([0.2, 5], [0, 5]));
    expect(weights('sft', 2.5)).toEqual(fill([0.2, 5], [0, 5]));
  });

  it('hold where a step has rows of one source only', () => {
    const alone = (keep: string): MixedStep => {
      const kept = step.sources.flatMap((source, i) => (source === keep ? i : []));
      return {
        ...step,
        rows: kept.map((i) => defined(step.rows[i], 'row')),
        sources: kept.map((i) => defined(step.sources[i], 'source')),
      };
    };
    expect(weights('cfs', 2, alone('dataset'))).toEqual(fill([0.2, 5]));
    expect(weights('cfs', 2, alone('cfs'))).toEqual(fill([0.4, 5]));
  });
});

describe('the list of methods', () => {
  it('names each once, with sources that there are', () => {
    expect(new Set(methodNames).size).toBe(methods.length);
    for (const { sources } of methods) {
      for (const role of sources) expect(sourceRoles).toHaveProperty(role);
    }
  });

  it('has words for a method it does not know', () => {
    expect([methodLabel('cfs'), methodLabel('of-tomorrow')]).toEqual(['CFS', 'of-tomorrow']);
    expect(methodOf('of-tomorrow')).toBeUndefined();
  });
});
