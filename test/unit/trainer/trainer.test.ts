/** The loop: resuming to the same bits, checkpoints that are damaged or pruned, divergence. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CfsError, defined } from '../../../src/errors.js';
import { cfs } from '../../../src/methods/cfs.js';
import { createMixer, sourceOf } from '../../../src/mixer/mixer.js';
import { storeRows } from '../../../src/mixer/rowStore.js';
import { openSafetensors } from '../../../src/model/safetensors.js';
import { writeSealed } from '../../../src/sealed.js';
import {
  listCheckpoints,
  loadCheckpoint,
  newestCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
} from '../../../src/trainer/checkpoint.js';
import { objectiveOf } from '../../../src/trainer/step.js';
import { createStore } from '../../../src/trainer/store.js';
import { planStore } from '../../../src/trainer/storePlan.js';
import {
  train,
  type StepReport,
  type TrainerOptions,
  type TrainingEnd,
} from '../../../src/trainer/trainer.js';
import { expectError } from '../../support/expectError.js';
import { oldRunFolder } from '../../support/oldRuns.js';
import { randomRows, snapshot, tinyOptimizer, tinyTraining } from '../../support/tinyTraining.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'cfs-trainer-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const steps = 11;
/** The hash over what a run is made from. */
const inputs = 'b'.repeat(64);
/** 7 rows a step from 26 + 9: several micro-batches, both sources, three epochs. */
const sources = [
  sourceOf('dataset', storeRows(randomRows(26, 5))),
  sourceOf('context-free', storeRows(randomRows(9, 6))),
];
const objective = objectiveOf(cfs, { lambda: 0.5, own: {} });

interface Ran {
  end: TrainingEnd;
  reports: StepReport[];
  warnings: CfsError[];
  saved: number[];
  weights: Map<string, Float32Array>;
  moments: Map<string, Float32Array>;
}

/** Trains in a store of its own, as a new process would, from the checkpoints in `folder`. */
async function run(
  overrides: Partial<TrainerOptions> = {},
  { stopAfter = Infinity } = {},
): Promise<Ran> {
  const { device, architecture, store } = await tinyTraining();
  const controller = new AbortController();
  const reports: StepReport[] = [];
  const warnings: CfsError[] = [];
  const saved: number[] = [];
  try {
    const end = await train({
      device,
      architecture,
      store,
      createMixer: (cursor) =>
        createMixer({ sources, mode: 'per-batch', batchRows: 7, seed: 4, cursor }),
      objective,
      shape: { time: 32, maxTokens: 64 },
      optimizer: tinyOptimizer(),
      schedule: { name: 'cosine', learningRate: 0.01, warmupSteps: 2, steps },
      clipNorm: 1,
      checkpoints: { folder, every: 4, keep: 2, inputs },
      evaluateAt: new Set(),
      evaluate: () => Promise.resolve(undefined),
      signal: controller.signal,
      onStep: (report) => {
        reports.push(report);
        if (report.step >= stopAfter) controller.abort();
      },
      onCheckpoint: ({ step }) => saved.push(step),
      onWarning: (warning) => warnings.push(warning),
      ...overrides,
    });
    const weights = await snapshot(store, 'weight');
    const moments = await snapshot(store, 'secondMoment');
    return { end, reports, warnings, saved, weights, moments };
  } finally {
    store.release();
  }
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function emptyFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}

describe('train', () => {
  it('learns, in several micro-batches of both sources', async () => {
    const { end, reports, saved } = await run({
      schedule: { name: 'constant', learningRate: 0.01, warmupSteps: 0, steps: 30 },
    });
    expect(end).toMatchObject({ kind: 'finished', state: { step: 30, updates: 30, skipped: 0 } });
    expect(saved).toEqual([4, 8, 12, 16, 20, 24, 28, 30]);
    const loss = (from: number): number =>
      reports.slice(from, from + 5).reduce((sum, report) => sum + report.loss, 0);
    expect(loss(25)).toBeLessThan(0.8 * loss(0));
    for (const report of reports) {
      expect(report.losses.dataset).toBeDefined();
      expect(report.losses.cfs).toBeDefined();
      // More than one micro-batch.
      expect(report.tokens).toBeGreaterThan(64);
    }
  });

  it('interrupted at any step and resumed, ends with the same bits', async () => {
    const whole = await run();
    expect(whole.reports).toHaveLength(steps);
    for (const stops of [[1], [4], [6, 9], [2, 3, 5, 7, 8, 10]]) {
      emptyFolder();
      const losses = new Map<number, number>();
      for (const stopAfter of stops) {
        const part = await run({}, { stopAfter });
        expect(part.end).toMatchObject({ kind: 'stopped', state: { step: stopAfter } });
        expect(listCheckpoints(folder)[0]).toBe(stopAfter);
        part.reports.forEach(({ step, loss }) => losses.set(step, loss));
      }
      const rest = await run();
      rest.reports.forEach(({ step, loss }) => losses.set(step, loss));
      expect(rest.end).toEqual(whole.end);
      expect([...losses.values()]).toEqual(whole.reports.map(({ loss }) => loss));
      expect(rest.weights).toEqual(whole.weights);
      expect(rest.moments).toEqual(whole.moments);
    }
  });

  it('leaves out steps that are not finite, counts them, and goes on', async () => {
    let call = 0;
    const broken = new Set([2, 3, 4, 5, 7]);
    const { end, reports, weights } = await run({
      objective: {
        targetWeights: (step) => {
          const weights = objective.targetWeights(step);
          return broken.has(++call) ? weights.fill(NaN) : weights;
        },
      },
    });
    expect(reports.filter(({ skipped }) => skipped).map(({ step }) => step)).toEqual([...broken]);
    expect(end.state).toMatchObject({ step: 11, updates: 6, skipped: 5, skippedInARow: 0 });
    for (const data of weights.values()) expect(data.every(Number.isFinite)).toBe(true);
  });

  it('stops after five such steps in a row, counted over an interruption too', async () => {
    // The first update throws the weights so far off that everything overflows.
    const schedule = { name: 'constant', learningRate: 1e30, warmupSteps: 0, steps } as const;
    const failure = await run({ schedule }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CfsError);
    expect(failure).toMatchObject({
      code: 'TRAINING_DIVERGED',
      place: { field: 'training.learningRate' },
    });
    expect((failure as CfsError).remedy).toContain('Lower the learning rate');
    emptyFolder();
    const part = await run({ schedule }, { stopAfter: 4 });
    expect(part.end.state).toMatchObject({ step: 4, updates: 1, skipped: 3, skippedInARow: 3 });
    const reports: StepReport[] = [];
    const resumed = run({ schedule, onStep: (report) => reports.push(report) });
    await expect(resumed).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' });
    expect(reports.map(({ step, skipped }) => [step, skipped])).toEqual([
      [5, true],
      [6, true],
    ]);
  });

  it('keeps the best checkpoint beside the newest', async () => {
    const scores = new Map([
      [2, 1],
      [4, 3],
      [6, 2],
      [8, 3],
      [10, 0],
      [11, -1],
    ]);
    const asked: number[] = [];
    const { end, saved } = await run({
      evaluateAt: new Set([2, 4, 6, 8, 10, 11]),
      evaluate: (step) => {
        asked.push(step);
        return Promise.resolve(scores.get(step));
      },
      checkpoints: { folder, every: 3, keep: 2, inputs },
    });
    expect(asked).toEqual([2, 4, 6, 8, 10, 11]);
    expect(end.state.best).toEqual({ step: 4, score: 3 });
    expect(saved).toEqual([2, 3, 4, 6, 9, 11]);
    expect(listCheckpoints(folder)).toEqual([11, 9, 4]);
  });

  it('writes no checkpoint when it is stopped before the first step', async () => {
    const { end, saved } = await run({ signal: AbortSignal.abort() });
    expect(end).toEqual({
      kind: 'stopped',
      state: { step: 0, updates: 0, skipped: 0, skippedInARow: 0 },
    });
    expect(saved).toEqual([]);
  });
});

describe('checkpoints', () => {
  it('give back weights, moments and state', async () => {
    const { store } = await tinyTraining();
    const names = ['weight', 'firstMoment', 'secondMoment'] as const;
    for (const [k, kind] of names.entries()) {
      for (const { name, shape } of store.plan.tensors) {
        const size = shape.reduce((a, b) => a * b, 1);
        const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i + k));
        await store.fill(kind, name, (all) => all.set(values));
      }
    }
    const before = await Promise.all(names.map((kind) => snapshot(store, kind)));
    const best = { step: 3, score: -0.5 };
    const state = { step: 7, updates: 6, skipped: 1, skippedInARow: 0, best };
    await saveCheckpoint(folder, store, state, inputs);
    const other = (await tinyTraining('cpu', 0.9)).store;
    expect(await loadCheckpoint(folder, 7, other, inputs)).toEqual(state);
    expect(await Promise.all(names.map((kind) => snapshot(other, kind)))).toEqual(before);
    // Again over itself, and nothing temporary stays.
    await saveCheckpoint(folder, store, state, inputs);
    expect(readdirSync(folder)).toEqual(['7']);
  });

  it('hold no more than the optimizer remembers', async () => {
    const { device, architecture, store } = await tinyTraining();
    const weights = await snapshot(store, 'weight');
    const plan = planStore(architecture.parameters, ['firstMoment'], 'cpu');
    const open = (scale: number) =>
      createStore(device, plan, (name, values) =>
        values.set(defined(weights.get(name), name).map((value) => scale * value)),
      );
    const state = { step: 7, updates: 7, skipped: 0, skippedInARow: 0 };
    await saveCheckpoint(folder, await open(1), state, inputs);
    const file = openSafetensors(join(folder, '7', 'tensors.safetensors'));
    expect(file.names()).toHaveLength(2 * weights.size);
    const other = await open(0.5);
    expect(await loadCheckpoint(folder, 7, other, inputs)).toEqual(state);
    expect(await snapshot(other, 'weight')).toEqual(weights);
  });

  const damages: Record<string, (path: string) => void> = {
    'a changed byte': (path) => {
      const file = join(path, 'tensors.safetensors');
      const bytes = readFileSync(file);
      bytes[5000] = defined(bytes[5000], 'byte') ^ 4;
      writeFileSync(file, bytes);
    },
    'a missing end': (path) => truncateSync(join(path, 'tensors.safetensors'), 5000),
    'no tensors': (path) => rmSync(join(path, 'tensors.safetensors')),
    'no state': (path) => rmSync(join(path, 'state.json')),
    'half a state': (path) => truncateSync(join(path, 'state.json'), 40),
    'a later format': (path) => {
      const file = join(path, 'state.json');
      const { seal, ...content } = z.looseObject({ seal: z.string() }).parse(readJson(file));
      expect(seal).toHaveLength(64);
      writeSealed(file, { ...content, format: 3 });
    },
  };

  it.each(Object.entries(damages))('with %s is passed over, with a warning', async (_, damage) => {
    const whole = await run({}, { stopAfter: 9 });
    expect(listCheckpoints(folder)).toEqual([9, 8]);
    damage(join(folder, '9'));
    const { store } = await tinyTraining('cpu', 0.5);
    const untouched = await snapshot(store, 'weight');
    await expect(loadCheckpoint(folder, 9, store, inputs)).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
      message: expect.stringContaining('of the checkpoint of step 9 cannot be used') as string,
      place: { file: expect.stringContaining(join(folder, '9')) as string },
    });
    expect(await snapshot(store, 'weight')).toEqual(untouched);

    const resumed = await run({}, { stopAfter: 9 });
    expect(resumed.warnings).toMatchObject([{ code: 'CHECKPOINT_DAMAGED' }]);
    expect(resumed.reports.map(({ step }) => step)).toEqual([9]);
    expect(resumed.weights).toEqual(whole.weights);
    expect(existsSync(join(folder, '9.damaged'))).toBe(true);
  });

  it('of an earlier version are refused with a sentence, and stay', async () => {
    await run({}, { stopAfter: 9 });
    const first = join(oldRunFolder('sft'), 'checkpoints', '7', 'state.json');
    writeFileSync(join(folder, '9', 'state.json'), readFileSync(first));
    await expect(run()).rejects.toMatchObject({
      code: 'CHECKPOINT_OUTDATED',
      place: { file: join(folder, '9') },
    });
    expect(listCheckpoints(folder)).toEqual([9, 8]);
  });

  /** Two checkpoints that nothing was trained for. */
  async function writeTwo(): Promise<void> {
    const { store } = await tinyTraining();
    for (const step of [8, 9]) {
      const state = { step, updates: step, skipped: 0, skippedInARow: 0 };
      await saveCheckpoint(folder, store, state, inputs);
    }
    store.release();
  }

  const mixUps: Record<string, (path: string) => void> = {
    'an edited state': (path) => {
      const file = join(path, 'state.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('"updates": 9', '"updates": 8'));
    },
    'the state of another step': (path) => {
      const other = join(path, '..', '8', 'state.json');
      writeFileSync(join(path, 'state.json'), readFileSync(other));
    },
    'all that another step has': (path) => {
      rmSync(path, { recursive: true });
      cpSync(join(path, '..', '8'), path, { recursive: true });
    },
    'a file for a folder': (path) => {
      rmSync(path, { recursive: true });
      writeFileSync(path, '');
    },
  };

  it.each(Object.entries(mixUps))('with %s are put aside', async (_, mixUp) => {
    await writeTwo();
    mixUp(join(folder, '9'));
    const warnings: CfsError[] = [];
    const newest = await newestCheckpoint(folder, (warning) => warnings.push(warning));
    expect(newest).toBe(8);
    const file = expect.stringContaining(join(folder, '9', 'state.json')) as string;
    expect(warnings).toMatchObject([{ code: 'CHECKPOINT_DAMAGED', place: { file } }]);
    expect(readdirSync(folder).toSorted()).toEqual(['8', '9.damaged']);
  });

  it('that cannot be read are no damage, and stay', async () => {
    await writeTwo();
    for (const name of ['tensors.safetensors', 'state.json', '']) {
      const file = join(folder, '9', name);
      rmSync(file, { recursive: true });
      // Unlike a file without permission, a link to itself cannot be read by an administrator either.
      symlinkSync(file, file);
      const read = () => newestCheckpoint(folder, () => undefined);
      const { place } = await expectError('READ_FAILED', read);
      expect(place.file).toBe(name === '' ? join(file, 'state.json') : file);
      expect(readdirSync(folder).toSorted()).toEqual(['8', '9']);
    }
  });

  it('are not listed where their folder cannot be read', async () => {
    const file = join(folder, 'checkpoints');
    writeFileSync(file, '');
    const { place } = await expectError('READ_FAILED', () => listCheckpoints(file));
    expect(place.file).toBe(file);
    for (const name of ['7', '08', '9.damaged', 'tmp-10']) mkdirSync(join(folder, name));
    expect(listCheckpoints(folder)).toEqual([7]);
  });

  it('are not put on another base model', async () => {
    await run({}, { stopAfter: 9 });
    const { store } = await tinyTraining();
    await expect(loadCheckpoint(folder, 9, store, 'another')).rejects.toMatchObject({
      code: 'CHECKPOINT_OTHER_RUN',
    });
    expect(store.holdsBase).toBe(true);
  });

  it('that are all damaged leave nothing to go on from', async () => {
    await run({}, { stopAfter: 2 });
    rmSync(join(folder, '2', 'state.json'));
    const warnings: CfsError[] = [];
    expect(await newestCheckpoint(folder, (warning) => warnings.push(warning))).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(await newestCheckpoint(join(folder, 'none'), () => undefined)).toBeUndefined();
  });

  it('are pruned to the newest, sparing the best', async () => {
    const { store } = await tinyTraining();
    for (const step of [1, 2, 9, 10, 11]) {
      await saveCheckpoint(
        folder,
        store,
        { step, updates: 0, skipped: 0, skippedInARow: 0 },
        inputs,
      );
    }
    pruneCheckpoints(folder, 2, 1);
    expect(listCheckpoints(folder)).toEqual([11, 10, 1]);
    pruneCheckpoints(folder, 1, undefined);
    expect(listCheckpoints(folder)).toEqual([11]);
  });
});
