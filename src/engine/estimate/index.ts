/**
 * What a run will take before it runs: seconds by phase, memory, disk, and whether it will fit. The
 * preview process asks again whenever a setting moves, so whatever a setting leaves as it is (the
 * speed of the machine, the requests of a task, the graphs of a model) is computed once.
 */
import type { RowStore } from '../../mixer/rowStore.js';
import type { RunEstimate } from '../../protocol/preview.js';
import type { Provider } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { createCache } from '../cache.js';
import type { Model } from '../model.js';
import { planRun } from '../phases/index.js';
import { storePlanOf } from '../phases/train.js';
import { expectedSources } from '../sources/index.js';
import { ofKind, type Requests, type Work } from '../work.js';
import { diskBytes } from './disk.js';
import { judgeFit } from './fit.js';
import { createGraphCosts, type GraphCosts } from './graphs.js';
import { availableMemory, deviceMemory, freeDisk, measureSpeed, sharesMemory } from './machine.js';
import { memoryNeeds, type MemoryParts } from './memory.js';
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
  /** What each task asks on all its items. */
  tasks: readonly Requests[];
  provider: Provider;
  /** Where run folders are made. */
  folder: string;
}

export interface Estimator {
  /** Throws what opening the provider throws. */
  estimate(request: EstimateRequest): Promise<RunEstimate>;
}

const keptModels = 2;

export function createEstimator(): Estimator {
  const speeds = createCache<number>();
  const graphs = createCache<GraphCosts>();

  return {
    estimate: async (request) => {
      const { config, model, modelKey, rows, downstream, tasks, provider, folder } = request;
      const { architecture } = model;
      const flopsPerSecond = await speeds.get(JSON.stringify(provider), () =>
        measureSpeed(provider),
      );
      const costs = await graphs.get(JSON.stringify([modelKey, provider.name]), () =>
        Promise.resolve(createGraphCosts(architecture, provider.name)),
      );
      graphs.trim(keptModels);
      const sources = expectedSources(config, model, rows);
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
      const disk = {
        needed: diskBytes({ config, model, store, sources }),
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
