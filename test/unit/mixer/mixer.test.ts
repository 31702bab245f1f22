/** The order of training: complete, mixed as promised, different in every epoch, and resumable. */
import { describe, expect, it } from 'vitest';
import {
  createMixer,
  mixerCursorSchema,
  planEpoch,
  type MixedStep,
  type MixerOptions,
  type Source,
} from '../../../src/mixer/mixer.js';
import { contextFreeRow } from '../../../src/mixer/rows.js';
import { storeRows, type RowStore } from '../../../src/mixer/rowStore.js';
import type { MixMode } from '../../../src/protocol/settings.js';
import { createRandom } from '../../../src/random.js';
import { expectError } from '../../support/expectError.js';

/** Rows that can be told apart by their second token. */
function storeOf(count: number, base: number): RowStore {
  return storeRows(Array.from({ length: count }, (_, i) => contextFreeRow([0, base + i])));
}

interface Case {
  dataset: number;
  cfs: number;
  batchRows: number;
  mode: MixMode;
  cfsShare?: number;
  seed: number;
}

function optionsOf({ dataset, cfs, ...rest }: Case): MixerOptions {
  return {
    dataset: storeOf(dataset, 1000),
    cfs: cfs === 0 ? undefined : storeOf(cfs, 9000),
    ...rest,
  };
}

function epochsOf(options: MixerOptions, epochs: number): MixedStep[][] {
  const mixer = createMixer({ ...options, epochs });
  const steps: MixedStep[] = [];
  for (let step = mixer.next(); step !== undefined; step = mixer.next()) steps.push(step);
  expect(steps.length).toBe(epochs * mixer.stepsPerEpoch);
  return Array.from({ length: epochs }, (_, e) => steps.filter((step) => step.epoch === e));
}

function indicesOf(steps: MixedStep[], source: Source): number[] {
  return steps.flatMap((step) => step.rowIndices.filter((_, i) => step.sources[i] === source));
}

const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Sizes, batches and shares drawn at random; the properties below must hold for every one. */
const cases: Case[] = upTo(120).map((seed) => {
  const random = createRandom(seed, 77);
  return {
    seed,
    dataset: 1 + random.below(200),
    cfs: random.below(4) === 0 ? 0 : 1 + random.below(300),
    batchRows: 2 + random.below(31),
    mode: random.below(2) === 0 ? 'per-batch' : 'shuffled',
    ...(random.below(3) === 0 ? { cfsShare: random.uniform() * 0.9 } : {}),
  };
});

describe('an epoch', () => {
  it.each(cases)('uses every dataset row exactly once: %o', (settings) => {
    for (const steps of epochsOf(optionsOf(settings), 3)) {
      expect(sorted(indicesOf(steps, 'dataset'))).toEqual(upTo(settings.dataset));
    }
  });

  it.each(cases)('uses CFS rows equally often: %o', (settings) => {
    if (settings.cfs === 0) return;
    const uses = new Array<number>(settings.cfs).fill(0);
    for (const row of indicesOf(epochsOf(optionsOf(settings), 4).flat(), 'cfs')) {
      uses[row] = (uses[row] ?? 0) + 1;
    }
    expect(Math.max(...uses) - Math.min(...uses)).toBeLessThanOrEqual(1);
  });

  it.each(cases)(
    'hands out the rows its indices name, in batches of the right size: %o',
    (settings) => {
      const options = optionsOf(settings);
      const [steps = []] = epochsOf(options, 1);
      steps.forEach((step, i) => {
        expect([step.epoch, step.index]).toEqual([0, i]);
        const full = i < steps.length - 1;
        expect(step.rows.length).toBeLessThanOrEqual(settings.batchRows);
        if (full) expect(step.rows.length).toBe(settings.batchRows);
        step.rows.forEach((row, k) => {
          const base = step.sources[k] === 'cfs' ? 9000 : 1000;
          expect(row.ids[1]).toBe(base + (step.rowIndices[k] ?? NaN));
        });
      });
    },
  );

  it.each(
    cases.filter(({ mode, cfs, cfsShare }) => mode === 'per-batch' && cfs > 0 && cfsShare !== 0),
  )('holds both kinds in every batch, evenly: %o', (settings) => {
    const [steps = []] = epochsOf(optionsOf(settings), 1);
    const counts = steps.map((step) => indicesOf([step], 'cfs').length);
    steps.forEach((step, i) => {
      expect(counts[i]).toBeGreaterThan(0);
      expect(counts[i]).toBeLessThan(step.rows.length);
    });
    const full = counts.slice(0, -1);
    if (full.length > 0) expect(Math.max(...full) - Math.min(...full)).toBeLessThanOrEqual(1);
  });
});

describe('the plan of an epoch', () => {
  const mode = 'per-batch';
  it('uses each CFS row once by default, both kinds in proportion', () => {
    expect(planEpoch(1000, 200, { mode, batchRows: 12 })).toEqual({
      ...{ steps: 100, datasetRows: 1000, cfsRows: 200 },
    });
    const [steps = []] = epochsOf(
      optionsOf({ dataset: 1000, cfs: 200, mode, batchRows: 12, seed: 1 }),
      1,
    );
    for (const step of steps) expect(indicesOf([step], 'cfs').length).toBe(2);
    expect(sorted(indicesOf(steps, 'cfs'))).toEqual(upTo(200));
  });

  it('repeats CFS rows where a small budget would leave batches without', () => {
    // 15 dataset rows and 1 CFS row a batch: 100 batches from 1,500 rows and 10 samples.
    expect(planEpoch(1500, 10, { mode, batchRows: 16 })).toEqual({
      ...{ steps: 100, datasetRows: 1500, cfsRows: 100 },
    });
    expect(planEpoch(1500, 10, { mode: 'shuffled', batchRows: 16 }).cfsRows).toBe(10);
  });

  it('follows a share, and keeps a dataset row in every batch whatever the budget', () => {
    expect(planEpoch(64, 10, { mode, batchRows: 16, cfsShare: 0.5 })).toEqual({
      ...{ steps: 8, datasetRows: 64, cfsRows: 64 },
    });
    expect(planEpoch(10, 5000, { mode, batchRows: 4 })).toEqual({
      ...{ steps: 10, datasetRows: 10, cfsRows: 30 },
    });
    expect(planEpoch(64, 10, { mode, batchRows: 16, cfsShare: 0 }).cfsRows).toBe(0);
  });

  it('is plain fine-tuning without samples', () => {
    expect(planEpoch(33, 0, { mode, batchRows: 16 })).toEqual({
      ...{ steps: 3, datasetRows: 33, cfsRows: 0 },
    });
  });

  it('refuses a batch of one for two kinds, and an impossible share', async () => {
    expect(() => planEpoch(10, 5, { mode, batchRows: 1 })).toThrow('batch of one row');
    expect(planEpoch(10, 5, { mode: 'shuffled', batchRows: 1 }).steps).toBe(15);
    for (const cfsShare of [1, -0.1, NaN]) {
      const plan = () => planEpoch(10, 5, { mode, batchRows: 4, cfsShare });
      const { place } = await expectError('CFS_SHARE_INVALID', plan);
      expect(place).toEqual({ field: 'cfsShare' });
    }
  });
});

describe('the order', () => {
  const settings: Case = { dataset: 100, cfs: 30, batchRows: 8, mode: 'per-batch', seed: 5 };

  it.each<MixMode>(['per-batch', 'shuffled'])(
    'differs from epoch to epoch and by seed (%s)',
    (mode) => {
      const [first = [], second = []] = epochsOf(optionsOf({ ...settings, mode }), 2);
      const [other = []] = epochsOf(optionsOf({ ...settings, mode, seed: 6 }), 1);
      for (const source of ['dataset', 'cfs'] as const) {
        expect(indicesOf(first, source)).not.toEqual(indicesOf(second, source));
        expect(indicesOf(first, source)).not.toEqual(indicesOf(other, source));
        expect(indicesOf(first, source)).not.toEqual(sorted(indicesOf(first, source)));
      }
    },
  );

  it('is the same for the same seed', () => {
    expect(epochsOf(optionsOf(settings), 2)).toEqual(epochsOf(optionsOf(settings), 2));
  });

  it('of shuffled batches varies in how many samples they hold', () => {
    const [steps = []] = epochsOf(optionsOf({ ...settings, mode: 'shuffled' }), 1);
    const counts = new Set(steps.map((step) => indicesOf([step], 'cfs').length));
    expect(counts.size).toBeGreaterThan(2);
    expect(sorted(indicesOf(steps, 'cfs'))).toEqual(upTo(30));
  });
});

describe('the cursor', () => {
  it.each(cases.slice(0, 40))('restores exactly, at any step: %o', (settings) => {
    const options = optionsOf(settings);
    const whole = createMixer(options);
    const stop = createRandom(settings.seed, 5).below(2 * whole.stepsPerEpoch + 1);
    for (let i = 0; i < stop; i++) whole.next();
    const stored: unknown = JSON.parse(JSON.stringify(whole.cursor()));
    const resumed = createMixer({ ...options, cursor: mixerCursorSchema.parse(stored) });
    for (let i = 0; i < whole.stepsPerEpoch + 2; i++) expect(resumed.next()).toEqual(whole.next());
  });

  it('refuses other data, settings or places', async () => {
    const settings: Case = { dataset: 20, cfs: 10, batchRows: 8, mode: 'per-batch', seed: 5 };
    const cursor = createMixer(optionsOf(settings)).cursor();
    const resume = (changed: Partial<Case>, at = cursor) =>
      createMixer({ ...optionsOf({ ...settings, ...changed }), cursor: at });
    expect(() => resume({})).not.toThrow();
    expect(() => resume({ dataset: 21 })).toThrow('datasetRows was 20 and is 21');
    const { place } = await expectError('CURSOR_MISMATCH', () => resume({ dataset: 21 }));
    expect(place).toEqual({ field: 'datasetRows' });
    expect(() => resume({ seed: 6 })).toThrow('seed was 5 and is 6');
    expect(() => resume({ mode: 'shuffled' })).toThrow('mode was per-batch');
    expect(() => resume({}, { ...cursor, index: 4 })).toThrow('step 4 of an epoch of 4');
  });

  it('ends after the epochs asked for, resumed or not', () => {
    const options = {
      ...optionsOf({ dataset: 4, cfs: 0, batchRows: 2, mode: 'per-batch', seed: 1 }),
      epochs: 1,
    };
    const mixer = createMixer(options);
    expect([mixer.next()?.index, mixer.next()?.index, mixer.next()]).toEqual([0, 1, undefined]);
    expect(createMixer({ ...options, cursor: mixer.cursor() }).next()).toBeUndefined();
  });
});
