/**
 * What a run will take before it runs: seconds by phase, memory, disk, and whether it will fit. The
 * preview process asks again whenever a setting moves, so whatever a setting leaves as it is (the
 * speed of the machine, the requests of a task, the graphs of a model) is computed once.
 */
import { dirname } from 'node:path';
import { defined } from '../../errors.js';
import { loadTask, readDefinition, taskFiles } from '../../evaluator/task.js';
import { isPlanned } from '../../mixer/preview.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { RunEstimate } from '../../protocol/preview.js';
import { chooseProvider, type Provider } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { createCache } from '../cache.js';
import type { Model } from '../model.js';
import { expectedSources } from '../sources/index.js';
import { fileStamp } from '../stamp.js';
import { parameterCount } from '../../model/parameters.js';
import { createGraphCosts, type GraphCosts } from './graphs.js';
import { availableMemory, freeDisk, measureSpeed } from './machine.js';
import { memoryParts } from './memory.js';
import { requestsOf, type Requests } from './requests.js';
import { evaluatingSeconds, trainingSeconds, writingSeconds } from './seconds.js';
import { judgeFit } from './fit.js';
import { evaluatingWork, trainingWork, writingWork } from './work.js';

export interface EstimateRequest {
  config: RunConfig;
  model: Model;
  /** Equal for equal models. */
  modelKey: string;
  /** Rows that are trained on. */
  rows: RowStore;
  /** Test rows; perhaps none. */
  downstream: RowStore;
  steps: number;
  /** Where run folders are made; the dataset's folder when left out. */
  folder?: string;
}

export interface Estimator {
  /** Throws what opening the provider and reading the tasks throws. */
  estimate(request: EstimateRequest): Promise<RunEstimate>;
}

const [keptModels, keptTasks] = [2, 32];

export function createEstimator(): Estimator {
  const machines = createCache<{ provider: Provider; flopsPerSecond: number }>();
  const graphs = createCache<GraphCosts>();
  const tasks = createCache<Requests>();

  const machineFor = ({ provider, threads }: RunConfig) =>
    machines.get(JSON.stringify([provider, threads]), async () => {
      const chosen = await chooseProvider(provider, threads);
      return { provider: chosen, flopsPerSecond: await measureSpeed(chosen) };
    });

  const requestsFor = async ({ config, model, modelKey }: EstimateRequest): Promise<Requests[]> => {
    const found: Requests[] = [];
    for (const file of config.evaluation.tasks) {
      const stamps = taskFiles(readDefinition(file), file).map(fileStamp);
      const key = JSON.stringify([file, fileStamp(file), stamps, modelKey]);
      found.push(await tasks.get(key, () => requestsOf(loadTask(file), model, config.seed)));
    }
    tasks.trim(keptTasks);
    return found;
  };

  return {
    estimate: async (request) => {
      const { config, model, modelKey, rows, downstream, steps } = request;
      const { architecture } = model;
      const { provider, flopsPerSecond } = await machineFor(config);
      const costs = await graphs.get(JSON.stringify([modelKey, provider.name]), () =>
        Promise.resolve(createGraphCosts(architecture, provider.name)),
      );
      graphs.trim(keptModels);
      const sources = expectedSources(config, model, rows);
      const training = trainingWork(config, architecture, sources, steps);
      const candidates = model.bos.candidates.length;
      const planned = sources.reduce(
        (sum, each) => sum + (isPlanned(each.rows) ? each.rows.rows : 0),
        0,
      );
      const writing = writingWork(config, architecture, planned, candidates);
      const evaluating = evaluatingWork(config, steps, await requestsFor(request), downstream);

      const speed = { flopsPerSecond };
      const checkpoints = Math.ceil(steps / config.training.checkpointEvery);
      const seconds = {
        generating: writingSeconds(writing, architecture, speed),
        training: trainingSeconds(training, costs, architecture, checkpoints, speed),
        evaluating: evaluatingSeconds(evaluating, costs, architecture, speed),
      };
      const total = seconds.generating + seconds.training + seconds.evaluating;
      const parts = memoryParts(architecture, costs, {
        training,
        writing,
        evaluating,
        rowTokens: rows.tokens + downstream.tokens,
      });
      const memory = {
        needed: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
        available: availableMemory(),
        parts,
      };
      const folder = request.folder ?? dirname(defined(config.dataset[0], 'dataset').path);
      const disk = {
        needed: diskBytes(config, parameterCount(architecture.parameters), checkpoints),
        available: await freeDisk(folder),
      };
      return {
        provider: provider.name,
        seconds: { ...seconds, total },
        memory,
        disk,
        ...judgeFit(provider.name, config, training.shape, memory, disk),
      };
    },
  };
}

/** Checkpoints hold the weights and two moments; one more is written before the oldest goes. */
function diskBytes(config: RunConfig, parameters: number, checkpoints: number): number {
  const { training, evaluation } = config;
  const best = evaluation.bestBy === 'last' ? 0 : 1;
  const kept = Math.min(checkpoints, training.keepCheckpoints + 1) + best;
  return 4 * parameters * (3 * kept + 1);
}
