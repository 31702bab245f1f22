/** The order of training: complete, mixed as promised, different in every epoch, and resumable. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { planEpoch, type MixSettings } from '../../../src/mixer/epoch.js';
import {
  createMixer,
  mixerCursorSchema,
  sourceOf,
  type MixerCursor,
  type MixerOptions,
} from '../../../src/mixer/mixer.js';
import { contextFreeRow } from '../../../src/mixer/rows.js';
import { storeRows, type RowStore } from '../../../src/mixer/rowStore.js';
import type { MixedStep } from '../../../src/mixer/step.js';
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

function optionsOf({ dataset, cfs, cfsShare, ...rest }: Case): MixerOptions {
  const samples = sourceOf('context-free', storeOf(cfs, 9000), cfsShare);
  return {
    sources: [sourceOf('dataset', storeOf(dataset, 1000)), ...(cfs === 0 ? [] : [samples])],
    ...rest,
  };
}

/** The plan for so many rows of dataset and samples, in words. */
function planOf(
  dataset: number,
  cfs: number,
  { cfsShare, ...settings }: MixSettings & { cfsShare?: number },
) {
  const { steps, rows } = planEpoch(
    [sourceOf('dataset', { count: dataset }), sourceOf('context-free', { count: cfs }, cfsShare)],
    settings,
  );
  return { steps, datasetRows: rows[0], cfsRows: rows[1] };
}

function epochsOf(options: MixerOptions, epochs: number): MixedStep[][] {
  const mixer = createMixer({ ...options, epochs });
  const steps: MixedStep[] = [];
  for (let step = mixer.next(); step !== undefined; step = mixer.next()) steps.push(step);
  expect(steps.length).toBe(epochs * mixer.stepsPerEpoch);
  return Array.from({ length: epochs }, (_, e) => steps.filter((step) => step.epoch === e));
}

function indicesOf(steps: MixedStep[], source: string): number[] {
  return steps.flatMap((step) => step.rowIndices.filter((_, i) => step.sources[i] === source));
}

const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Sizes, batches and shares drawn at random; the properties below must hold for every one. */
const cases: Case[] = upTo(120).map((seed) => caseOf(seed, 77));

function caseOf(seed: number, stream: number): Case {
  const random = createRandom(seed, stream);
  return {
    seed,
    dataset: 1 + random.below(200),
    cfs: random.below(4) === 0 ? 0 : 1 + random.below(300),
    batchRows: 2 + random.below(31),
    mode: random.below(2) === 0 ? 'per-batch' : 'shuffled',
    ...(random.below(3) === 0 ? { cfsShare: random.uniform() * 0.9 } : {}),
  };
}

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
    expect(planOf(1000, 200, { mode, batchRows: 12 })).toEqual({
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
    expect(planOf(1500, 10, { mode, batchRows: 16 })).toEqual({
      ...{ steps: 100, datasetRows: 1500, cfsRows: 100 },
    });
    expect(planOf(1500, 10, { mode: 'shuffled', batchRows: 16 }).cfsRows).toBe(10);
  });

  it('follows a share, and keeps a dataset row in every batch whatever the budget', () => {
    expect(planOf(64, 10, { mode, batchRows: 16, cfsShare: 0.5 })).toEqual({
      ...{ steps: 8, datasetRows: 64, cfsRows: 64 },
    });
    expect(planOf(10, 5000, { mode, batchRows: 4 })).toEqual({
      ...{ steps: 10, datasetRows: 10, cfsRows: 30 },
    });
    expect(planOf(64, 10, { mode, batchRows: 16, cfsShare: 0 }).cfsRows).toBe(0);
  });

  it('is plain fine-tuning without samples', () => {
    expect(planOf(33, 0, { mode, batchRows: 16 })).toEqual({
      ...{ steps: 3, datasetRows: 33, cfsRows: 0 },
    });
  });

  it('refuses a batch of one for two kinds, and an impossible share', async () => {
    expect(() => planOf(10, 5, { mode, batchRows: 1 })).toThrow('batch of one row');
    expect(planOf(10, 5, { mode: 'shuffled', batchRows: 1 }).steps).toBe(15);
    for (const cfsShare of [1, -0.1, NaN]) {
      const plan = () => planOf(10, 5, { mode, batchRows: 4, cfsShare });
      const { place } = await expectError('SHARE_INVALID', plan);
      expect(place).toEqual({ field: 'share' });
    }
  });
});

describe('several sources', () => {
  const roles = ['dataset', 'context-free', 'third', 'fourth'];
  interface Mix {
    counts: number[];
    shares: (number | undefined)[];
    batchRows: number;
    mode: MixMode;
    seed: number;
  }

  const mixes: Mix[] = upTo(80).map((seed) => {
    const random = createRandom(seed, 79);
    const others = 2 + random.below(2);
    return {
      seed,
      counts: [10 + random.below(150), ...upTo(others).map(() => 1 + random.below(200))],
      shares: [
        undefined,
        ...upTo(others).map(() =>
          random.below(3) === 0 ? 0.1 + 0.2 * random.uniform() : undefined,
        ),
      ],
      batchRows: others + 1 + random.below(20),
      mode: random.below(4) === 0 ? 'shuffled' : 'per-batch',
    };
  });

  const mixOf = ({ counts, shares, ...rest }: Mix): MixerOptions => ({
    sources: counts.map((count, i) =>
      sourceOf(roles[i] ?? '', storeOf(count, 1000 * (i + 1)), shares[i]),
    ),
    ...rest,
  });
  const perBatch = mixes.filter(({ mode }) => mode === 'per-batch');

  it.each(mixes)('use the dataset once an epoch and the others equally often: %o', (mix) => {
    const { sources, ...rest } = mixOf(mix);
    const epochs = epochsOf({ sources, ...rest }, 3);
    for (const steps of epochs) {
      expect(sorted(indicesOf(steps, 'dataset'))).toEqual(upTo(mix.counts[0] ?? 0));
      for (const step of steps) {
        step.rows.forEach((row, k) => {
          const place = sources.findIndex(({ id }) => id === step.sources[k]);
          expect(row.ids[1]).toBe(1000 * (place + 1) + (step.rowIndices[k] ?? NaN));
        });
      }
    }
    for (const { id, rows } of sources) {
      const uses = new Array<number>(rows.count).fill(0);
      for (const row of indicesOf(epochs.flat(), id)) uses[row] = (uses[row] ?? 0) + 1;
      expect(Math.max(...uses) - Math.min(...uses)).toBeLessThanOrEqual(1);
    }
  });

  it.each(perBatch)('are all in every batch: %o', (mix) => {
    const options = mixOf(mix);
    const [steps = []] = epochsOf(options, 1);
    steps.forEach((step, i) => {
      expect(new Set(step.sources).size).toBe(options.sources.length);
      if (i < steps.length - 1) expect(step.rows.length).toBe(mix.batchRows);
    });
  });

  it('keep to counts and shares where every batch can hold them', () => {
    const sizes = (...shares: (number | undefined)[]) =>
      [100, 50, 50].map((count, i) => sourceOf(roles[i] ?? '', { count }, shares[i]));
    const settings = { mode: 'per-batch', batchRows: 10 } as const;
    expect(planEpoch(sizes(), settings)).toEqual({ steps: 20, rows: [100, 50, 50] });
    expect(planEpoch(sizes(undefined, 0.25, 0.25), settings)).toEqual({
      ...{ steps: 20, rows: [100, 50, 50] },
    });
    // Half of the epoch is the third's: as many rows as the dataset and the second together.
    expect(planEpoch(sizes(undefined, undefined, 0.5), settings)).toEqual({
      ...{ steps: 30, rows: [100, 50, 150] },
    });
    expect(() => planEpoch(sizes(undefined, 0.5, 0.5), settings)).toThrow('all together below 1');
    expect(() => planEpoch(sizes(), { ...settings, batchRows: 2 })).toThrow(
      'each of the 3 sources',
    );
  });
});

describe('the steps of dataset and samples', () => {
  /** Hashes of three epochs, written down when these were the only two sources there could be. */
  const recorded = [
    '42 e939f636114f8413',
    '15 8611d124ffd454d7',
    '30 faa6913b2ab743d9',
    '48 eddff04dec2faa50',
    '27 5728f72d39b06454',
    '27 b4117922071de54f',
    '21 c28bf66a862a16b3',
    '45 e53f73a121d11fda',
    '51 0f372b5b04d127c2',
    '105 6ed2c6044c9ffbeb',
    '21 6f340d625c5f240e',
    '33 20e315917241c390',
    '48 f99b52946912d872',
    '6 b7ee1215fc5cfc86',
    '9 0ca06c6ceab6ce8e',
    '51 cc3b35e3fd522f2a',
    '18 724e1e0b7737dc3c',
    '108 831c9e9ebcbe012e',
    '225 9d59999df6ed0f40',
    '21 d9103140c2965a27',
    '18 65b6352614d6a04e',
    '45 873c7e0639afed6c',
    '42 a1e37ecd74a03b98',
    '117 5c156362f8a58813',
  ];

  it.each(recorded.map((expected, seed) => ({ seed, expected })))(
    'are what they always were: %o',
    ({ seed, expected }) => {
      const steps = epochsOf(optionsOf(caseOf(seed, 78)), 3).flat();
      const hash = createHash('sha256');
      for (const { epoch, index, sources, rowIndices, rows } of steps) {
        const ids = rows.map((row) => [...row.ids]);
        hash.update(JSON.stringify([epoch, index, sources, rowIndices, ids]));
      }
      expect(`${steps.length} ${hash.digest('hex').slice(0, 16)}`).toBe(expected);
    },
  );

  it('are these, for a few rows', () => {
    const few: Case = { dataset: 11, cfs: 4, batchRows: 4, mode: 'per-batch', seed: 5 };
    const [steps = []] = epochsOf(optionsOf(few), 1);
    const three = ['dataset', 'dataset', 'dataset', 'cfs'];
    expect(steps.map(({ sources, rowIndices }) => [sources, rowIndices])).toEqual([
      [three, [9, 3, 10, 2]],
      [three, [5, 0, 8, 0]],
      [three, [4, 2, 6, 3]],
      [three.slice(1), [7, 1, 1]],
    ]);
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
    const resume = (changed: Partial<Case>, at: MixerCursor = cursor) =>
      createMixer({ ...optionsOf({ ...settings, ...changed }), cursor: at });
    expect(() => resume({})).not.toThrow();
    expect(() => resume({ dataset: 21 })).toThrow('source dataset had 20 rows and has 21');
    const { place } = await expectError('CURSOR_MISMATCH', () => resume({ dataset: 21 }));
    expect(place).toEqual({ field: 'dataset' });
    expect(() => resume({ cfs: 11 })).toThrow('source cfs had 10 rows and has 11');
    expect(() => resume({ cfs: 0 })).toThrow('the sources were dataset, cfs and are dataset');
    expect(() => resume({ cfsShare: 0.5 })).toThrow('share of source cfs was not set and is 0.5');
    expect(() => resume({ seed: 6 })).toThrow('seed was 5 and is 6');
    expect(() => resume({ mode: 'shuffled' })).toThrow('mode was per-batch');
    const late = { ...cursor, index: 4 };
    expect(() => resume({}, late)).toThrow('step 4 of an epoch of 4');
  });

  it('refuses rows of the same number and length with another token', () => {
    const settings: Case = { dataset: 20, cfs: 10, batchRows: 8, mode: 'per-batch', seed: 5 };
    const options = optionsOf(settings);
    const [dataset, ...others] = options.sources;
    const cursor = createMixer(options).cursor();
    const changed = sourceOf('dataset', storeOf(20, 1001));
    expect(dataset?.rows.tokens).toBe(changed.rows.tokens);
    const resume = () => createMixer({ ...options, sources: [changed, ...others], cursor });
    expect(resume).toThrow('the rows of source dataset are not the same as before');
    expect(resume).toThrow(expect.objectContaining({ code: 'CURSOR_MISMATCH' }) as Error);
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
