/** The pieces of an estimate: exact where they can be counted, and growing with what they depend on. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { loadSources } from '../../../src/engine/dataset.js';
import { createGraphCosts, decodeStep, multiplied } from '../../../src/engine/estimate/graphs.js';
import { addMoments, highest, memoryNeeds } from '../../../src/engine/estimate/memory.js';
import { requestsOf } from '../../../src/engine/estimate/requests.js';
import {
  evaluatingSeconds,
  startingSeconds,
  trainingSeconds,
  writingSeconds,
} from '../../../src/engine/estimate/seconds.js';
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

const trainingMemory = (changed: RunConfig) => defined(memoryOf(changed).host.training, 'training');

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
    expect(startingSeconds(architecture, 2e10, 0)).toBeGreaterThan(
      startingSeconds(architecture, 1e10, 0),
    );
  });

  it('makes a decoder as fast for a large model as for a small one', () => {
    const { parameters } = architecture;
    const grown = parameters.map((one) => ({ ...one, shape: [1000, ...one.shape] }));
    const lookups = { ...architecture, parameters: [...parameters, ...lookupsOf(grown)] };
    const writing = (of: typeof architecture): number =>
      writingSeconds([{ samples: 1, length: 1, batch: 1 }], of, speed);
    expect(writing(lookups)).toBe(writing(architecture));
  });

  it('reads a large model from memory for each token, a small one from the caches', () => {
    const step = (weights: number): number => {
      const [one] = architecture.parameters;
      const parameters = [
        { ...defined(one, 'parameter'), shape: [weights], role: 'matrix' as const },
      ];
      return writingSeconds(
        [{ samples: 1, length: 1000, batch: 1 }],
        { ...architecture, parameters },
        speed,
      );
    };
    const perWeight = (weights: number) => (step(2 * weights) - step(weights)) / 1000 / weights;
    expect(perWeight(5e8)).toBeGreaterThan(3 * perWeight(5e6));
    expect(1 / perWeight(5e8)).toBeCloseTo(4e9, -8);
  });
});

/** Weights that no token is multiplied with. */
function lookupsOf(parameters: typeof architecture.parameters) {
  return parameters.map((one) => ({ ...one, name: `${one.name}.more`, role: 'lookup' as const }));
}

describe('memory', () => {
  const bytes = 4 * parameterCount(architecture.parameters);

  it('holds weights, gradients, a copy of them and two moments of every parameter to train', () => {
    const { weights, gradients, copies, moments: state } = trainingMemory(config);
    expect([weights, gradients, copies, state]).toEqual([bytes, bytes, bytes, 2 * bytes]);
  });

  it('holds the weights once, and the cache of its rows, to write samples', () => {
    const { sampling = {} } = memoryOf(config).host;
    expect(Object.keys(sampling).sort()).toEqual(['dataset', 'runtime', 'samples', 'weights']);
    expect(sampling.weights).toBe(bytes);
    const wide = { ...config, generation: { ...config.generation, batchSize: 12 } };
    const samples = (of: RunConfig) => defined(memoryOf(of).host.sampling?.samples, 'samples');
    expect(samples(wide)).toBeCloseTo((12 / config.generation.batchSize) * samples(config));
  });

  it('grows with the tokens at once and with the model', () => {
    const small = withTraining({ maxTokensPerMicroBatch: 96, batchRows: 64 });
    const large = withTraining({ maxTokensPerMicroBatch: 4096, batchRows: 64 });
    const activations = (of: RunConfig): number =>
      defined(trainingMemory(of).activations, 'activations');
    expect(activations(large)).toBeGreaterThan(2 * activations(small));
    const deeper = {
      ...model,
      architecture: configArchitecture({ ...tinyConfig, num_hidden_layers: 4 }),
    };
    const needed = (of: Model): number => highest(memoryOf(config, of).host).needed;
    expect(needed(deeper)).toBeGreaterThan(needed(model));
  });

  it('lies where a provider keeps it and computes', () => {
    expect(memoryOf(config).device).toEqual({});
    const webgpu = memoryOf(config, model, 'webgpu');
    expect(Object.keys(webgpu.host.sampling ?? {}).sort()).toEqual([
      ...['dataset', 'runtime', 'samples'],
    ]);
    expect(webgpu.device.training).toMatchObject({ moments: 2 * bytes, copies: bytes });
    const cuda = memoryOf(config, model, 'cuda');
    expect(cuda.host.training?.moments).toBe(2 * bytes);
    expect(cuda.device.training?.moments).toBeUndefined();
    expect(cuda.device.training?.weights).toBe(bytes);
  });

  it('is that of the highest moment', () => {
    const sampling = { weights: 5, samples: 9 };
    expect(highest({ sampling, training: { weights: 5 } })).toEqual({
      ...{ moment: 'sampling', needed: 14, parts: sampling },
    });
    expect(highest({ sampling, training: { weights: 5, moments: 10 } })).toMatchObject({
      ...{ moment: 'training', needed: 15 },
    });
    expect(addMoments({ sampling }, { sampling: { weights: 1 } }).sampling).toEqual({
      ...{ weights: 6, samples: 9 },
    });
  });
});
