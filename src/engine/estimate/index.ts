/**
 * What a run will take before it runs: seconds by phase, memory, disk, and whether it will fit. The
 * preview process asks again whenever a setting moves, so whatever a setting leaves as it is (the
 * speed of the machine, the requests of a task, the graphs of a model) is computed once.
 */
import { dirname } from 'node:path';
import { defined } from '../../errors.js';
import { loadTask, readDefinition, taskFiles } from '../../evaluator/task.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { RunEstimate } from '../../protocol/preview.js';
import { chooseProvider, type Provider } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { checkpointBytes, type StorePlan } from '../../trainer/storePlan.js';
import { createCache } from '../cache.js';
import type { Model } from '../model.js';
import { planRun } from '../phases/index.js';
import { storePlanOf } from '../phases/train.js';
import { expectedSources } from '../sources/index.js';
import { fileStamp } from '../stamp.js';
import { ofKind, type Requests, type Work } from '../work.js';
import { judgeFit } from './fit.js';
import { createGraphCosts, type GraphCosts } from './graphs.js';
import { availableMemory, deviceMemory, freeDisk, measureSpeed, sharesMemory } from './machine.js';
import { memoryNeeds, type MemoryParts } from './memory.js';
import { requestsOf } from './requests.js';
import { evaluatingSeconds, trainingSeconds, writingSeconds, type Speed } from './seconds.js';

export interface EstimateRequest {
  config: RunConfig;
  model: Model;
  /** Equal for equal models. */
  modelKey: string;
  /** Rows that are trained on. */
  rows: RowStore;
  /** Held-out rows; perhaps none. */
  downstream: RowStore;
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
      const { config, model, modelKey, rows, downstream } = request;
      const { architecture } = model;
      const { provider, flopsPerSecond } = await machineFor(config);
      const costs = await graphs.get(JSON.stringify([modelKey, provider.name]), () =>
        Promise.resolve(createGraphCosts(architecture, provider.name)),
      );
      graphs.trim(keptModels);
      const sources = expectedSources(config, model, rows);
      const tasks = await requestsFor(request);
      const work = planRun({ config, model, sources, downstream, tasks });
      const seconds = secondsOf(work, costs, model, { flopsPerSecond });

      const store = storePlanOf(config, architecture, provider.name);
      const rowTokens = rows.tokens + downstream.tokens;
      const needs = memoryNeeds(architecture, costs, store, work, rowTokens);
      const host = sharesMemory ? addParts(needs.host, needs.device) : needs.host;
      const memory = { ...roomOf(host), available: availableMemory() };
      const onDevice = !sharesMemory && Object.keys(needs.device).length > 0;
      const device = onDevice
        ? { ...roomOf(needs.device), available: await deviceMemory() }
        : undefined;
      const folder = request.folder ?? dirname(defined(config.dataset[0], 'dataset').path);
      const disk = {
        needed: diskBytes(config, model, store, work),
        available: await freeDisk(folder),
      };
      const time = ofKind(work, 'train')[0]?.shape.time ?? 0;
      return {
        provider: provider.name,
        seconds,
        memory,
        ...(device ? { deviceMemory: device } : {}),
        disk,
        ...judgeFit(provider.name, config, time, { memory, device, disk }),
      };
    },
  };
}

function secondsOf(
  work: readonly Work[],
  costs: GraphCosts,
  { architecture }: Model,
  speed: Speed,
): RunEstimate['seconds'] {
  const training = ofKind(work, 'train').map((one) =>
    trainingSeconds(one, costs, architecture, speed),
  );
  const seconds = {
    generating: writingSeconds(ofKind(work, 'write'), architecture, speed),
    training: training.reduce((sum, value) => sum + value, 0),
    evaluating: evaluatingSeconds(ofKind(work, 'score'), costs, architecture, speed),
  };
  return { ...seconds, total: seconds.generating + seconds.training + seconds.evaluating };
}

function addParts(a: MemoryParts, b: MemoryParts): MemoryParts {
  const sum = { ...a };
  for (const [part, bytes] of Object.entries(b) as [keyof MemoryParts, number][]) {
    sum[part] = (sum[part] ?? 0) + bytes;
  }
  return sum;
}

function roomOf(parts: MemoryParts): { needed: number; parts: Record<string, number> } {
  const entries = Object.entries(parts);
  return {
    needed: entries.reduce((sum, [, bytes]) => sum + bytes, 0),
    parts: Object.fromEntries(entries),
  };
}

/** The checkpoints that are kept, one more before the oldest goes, and the model at the end. */
function diskBytes(
  { training, evaluation }: RunConfig,
  { folder }: Model,
  store: StorePlan,
  work: readonly Work[],
): number {
  const written = ofKind(work, 'train').reduce((sum, { checkpoints }) => sum + checkpoints, 0);
  const best = evaluation.bestBy === 'last' ? 0 : 1;
  const kept = Math.min(written, training.keepCheckpoints + 1) + best;
  return kept * checkpointBytes(store) + folder.tensors.bytes();
}
