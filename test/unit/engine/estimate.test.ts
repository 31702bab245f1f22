/** The pieces of an estimate: exact where they can be counted, and growing with what they depend on. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { loadSources } from '../../../src/engine/dataset.js';
import { createGraphCosts, decodeStep, multiplied } from '../../../src/engine/estimate/graphs.js';
import { memoryNeeds } from '../../../src/engine/estimate/memory.js';
import { requestsOf } from '../../../src/engine/estimate/requests.js';
import {
  evaluatingSeconds,
  trainingSeconds,
  writingSeconds,
} from '../../../src/engine/estimate/seconds.js';
import { judgeFit } from '../../../src/engine/estimate/fit.js';
import { openModel, type Model } from '../../../src/engine/model.js';
import { planRun } from '../../../src/engine/phases/index.js';
import { storePlanOf } from '../../../src/engine/phases/train.js';
import { ofKind, scaled, type Requests, type ScoringWork } from '../../../src/engine/work.js';
import { parameterCount } from '../../../src/model/parameters.js';
import { loadTask } from '../../../src/evaluator/task.js';
import { sourceOf } from '../../../src/mixer/mixer.js';
import { storeRows, type RowStore } from '../../../src/mixer/rowStore.js';
import { configArchitecture } from '../../support/configArchitecture.js';
import type { ProviderName } from '../../../src/protocol/providers.js';
import { readRunConfig } from '../../../src/runs/config.js';
import type { RunConfig } from '../../../src/runs/configSchema.js';
import { temporaryFolder, tinyConfig, writeWorkspace } from '../../support/tinyModel.js';

const workspace = writeWorkspace(temporaryFolder());
const config = readRunConfig(join(workspace, 'run.yaml'));
const model = openModel(config.model);
const { architecture } = model;
const costs = createGraphCosts(architecture, 'cpu');
const speed = { flopsPerSecond: 1e11 };
let rows: RowStore;
beforeAll(async () => {
  ({ rows } = await loadSources(config.dataset, config, model));
});

function withTraining(changes: Partial<RunConfig['training']>): RunConfig {
  return { ...config, training: { ...config.training, ...changes } };
}

/** The work of a run, with 12 samples to write unless said otherwise. */
function workOf(
  changed: RunConfig = config,
  { of = model, samples = 12, tasks = [] as Requests[] } = {},
) {
  const sources = [
    sourceOf('dataset', rows),
    sourceOf('context-free', { rows: samples, meanTokens: 24 }),
  ];
  return planRun({ config: changed, model: of, sources, downstream: storeRows([]), tasks });
}

const trained = (changed: RunConfig = config, steps = 12) => {
  const [work] = ofKind(workOf({ ...changed, training: { ...changed.training, steps } }), 'train');
  return defined(work, 'training');
};
const task = (name: string) => loadTask(join(workspace, 'tasks', `${name}.yaml`));

function memoryOf(changed: RunConfig, of: Model = model, provider: ProviderName = 'cpu') {
  const store = storePlanOf(changed, of.architecture, provider);
  const work = workOf(changed, { of });
  const graphs = createGraphCosts(of.architecture, provider);
  return memoryNeeds(of.architecture, graphs, store, work, rows.tokens);
}

function total(parts: Record<string, number>): number {
  return Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
}

describe('what is counted', () => {
  it('counts parameters, and those that each token is multiplied with', () => {
    expect(multiplied(architecture)).toBe(parameterCount(architecture.parameters));
    const untied = configArchitecture({ ...tinyConfig, tie_word_embeddings: false });
    const table = 1024 * 48;
    expect(parameterCount(untied.parameters)).toBe(parameterCount(architecture.parameters) + table);
    expect(multiplied(untied)).toBe(parameterCount(architecture.parameters));
  });

  it('counts 2 operations per weight and row for a decoded token, and its attention', () => {
    const weights = multiplied(architecture);
    expect(decodeStep(architecture, 4, 0).flops).toBe(4 * 2 * weights);
    const attention = 4 * 1 * 4 * 12 * 10;
    expect(decodeStep(architecture, 4, 10).flops).toBe(4 * (2 * weights + attention));
  });

  it('asks what a run will ask: every choice, whole texts, answers as long as the right one', async () => {
    const choice = await requestsOf(task('choice'), model, 0);
    expect(choice.items).toBe(8);
    expect(choice.scored).toHaveLength(24);
    expect((await requestsOf(task('text'), model, 0)).scored).toHaveLength(6);
    const { written, scored } = await requestsOf(task('write'), model, 0);
    expect([written.length, scored.length]).toEqual([3, 0]);
    expect(written.every(({ tokens }) => tokens > 1 && tokens <= 6)).toBe(true);
    const half = scaled(choice, 4);
    expect(half.scored.reduce((sum, row) => sum + row.rows, 0)).toBe(12);
  });

  it('draws the passes that training will make', () => {
    const whole = trained(withTraining({ maxTokensPerMicroBatch: 4096 }));
    expect(whole.more).toBe(0);
    const parts = trained(withTraining({ maxTokensPerMicroBatch: 1 }));
    // One line a pass: as many lines in all.
    expect(1 + parts.more).toBeCloseTo(whole.first.lines);
    expect(parts.first.targets + parts.more * parts.next.targets).toBeCloseTo(whole.first.targets);
  });

  it('counts the evaluations of a run', async () => {
    const choice = await requestsOf(task('choice'), model, 0);
    const rowsOf = (evaluation: Partial<RunConfig['evaluation']>): number => {
      const changed = {
        ...config,
        evaluation: { ...config.evaluation, klSamples: 0, ...evaluation },
      };
      const work = ofKind(workOf(changed, { tasks: [choice] }), 'score');
      return work.reduce(
        (sum, { times, scored }) => sum + times * scored.reduce((all, row) => all + row.rows, 0),
        0,
      );
    };
    // 8 items of 3 choices, before and after; 4 items at step 6 of 12.
    expect(rowsOf({ full: true, every: 6, subset: 4 })).toBeCloseTo(2 * 24 + 12);
    expect(rowsOf({ full: true, every: 0, subset: 4 })).toBeCloseTo(2 * 24);
    expect(rowsOf({ full: false, every: 6, subset: 4, bestBy: 'kl' })).toBeCloseTo(4 * 12);
  });
});

describe('time', () => {
  const training = (steps: number, flopsPerSecond = 1e11): number =>
    trainingSeconds(trained(config, steps), costs, architecture, { flopsPerSecond });

  it('grows with steps, samples, items, and on a slower machine', async () => {
    expect(training(24)).toBeGreaterThan(1.5 * training(12));
    expect(training(12, 1e9)).toBeGreaterThan(training(12));
    const writing = (samples: number): number =>
      writingSeconds(ofKind(workOf(config, { samples }), 'write'), architecture, speed);
    expect(writing(400)).toBeGreaterThan(writing(12));
    const requests = await requestsOf(task('choice'), model, 0);
    const evaluating = (count: number, times = 1): number => {
      const work: ScoringWork = { kind: 'score', times, ...scaled(requests, count) };
      return evaluatingSeconds([work], costs, architecture, speed);
    };
    expect(evaluating(4, 3)).toBeCloseTo(3 * evaluating(4));
    expect(evaluating(8)).toBeGreaterThan(evaluating(4));
    expect(evaluatingSeconds([], costs, architecture, speed)).toBe(0);
  });
});

describe('memory', () => {
  it('holds weights, gradients and two moments of every parameter', () => {
    const { weights, gradients, moments } = memoryOf(config).host;
    const bytes = 4 * parameterCount(architecture.parameters);
    expect([weights, gradients, moments]).toEqual([bytes, bytes, 2 * bytes]);
  });

  it('grows with the tokens at once and with the model', () => {
    const small = withTraining({ maxTokensPerMicroBatch: 96, batchRows: 64 });
    const large = withTraining({ maxTokensPerMicroBatch: 4096, batchRows: 64 });
    const activations = (of: RunConfig): number =>
      defined(memoryOf(of).host.activations, 'activations');
    expect(activations(large)).toBeGreaterThan(2 * activations(small));
    const deeper = {
      ...model,
      architecture: configArchitecture({ ...tinyConfig, num_hidden_layers: 4 }),
    };
    expect(total(memoryOf(config, deeper).host)).toBeGreaterThan(total(memoryOf(config).host));
  });

  it('lies where a provider keeps it and computes', () => {
    expect(memoryOf(config).device).toEqual({});
    const webgpu = memoryOf(config, model, 'webgpu');
    expect(Object.keys(webgpu.host).sort()).toEqual(['dataset', 'runtime', 'samples']);
    expect(webgpu.device).toMatchObject({ moments: memoryOf(config).host.moments });
    const cuda = memoryOf(config, model, 'cuda');
    expect(cuda.host.moments).toBe(webgpu.device.moments);
    expect(cuda.device.moments).toBeUndefined();
    expect(cuda.device.weights).toBe(cuda.host.weights);
  });
});

describe('the fit', () => {
  const parts = { activations: 600 };
  const disk = { needed: 1, available: 100 };
  const fitOf = (needed: number, of = config, provider: 'cpu' | 'webgpu' = 'cpu') =>
    judgeFit(provider, of, 64, {
      memory: { needed, available: 1000, parts },
      device: undefined,
      disk,
    });

  it('is by the share of what there is', () => {
    expect([800, 801, 1001].map((needed) => fitOf(needed).verdict)).toEqual([
      'fits',
      'tight',
      'too-large',
    ]);
  });

  it('says first to send fewer tokens at once, then to take a smaller model', () => {
    const many = withTraining({ maxTokensPerMicroBatch: 1024 });
    expect(fitOf(1100, many).reason).toContain('maxTokensPerMicroBatch) to 512');
    expect(fitOf(5000, many).reason).toContain('smaller base model');
    const few = withTraining({ maxTokensPerMicroBatch: 64 });
    expect(fitOf(1100, few).reason).toContain('smaller base model');
  });

  it('says where it was not measured, and when the disk is too small', () => {
    expect(fitOf(100, config, 'webgpu').reason).toContain('webgpu was not measured');
    const full = { needed: 200, available: 100 };
    const memory = { needed: 1, available: 1000, parts };
    const rooms = { memory, device: undefined, disk: full };
    expect(judgeFit('cpu', config, 64, rooms)).toMatchObject({
      verdict: 'too-large',
      reason: expect.stringContaining('disk') as string,
    });
  });

  it('asks for GPU memory where a GPU keeps the weights, and says where it is not known', () => {
    const memory = { needed: 1, available: 1000, parts };
    const fit = (available: number | undefined) =>
      judgeFit('webgpu', config, 64, { memory, device: { needed: 900, available, parts }, disk });
    expect(fit(800)).toMatchObject({
      verdict: 'too-large',
      reason: expect.stringContaining('GPU memory') as string,
    });
    expect(fit(1000).verdict).toBe('tight');
    expect(fit(undefined)).toMatchObject({
      verdict: 'fits',
      reason: expect.stringContaining('could not be determined') as string,
    });
  });
});
