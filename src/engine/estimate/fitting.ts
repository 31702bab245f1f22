/**
 * What a run needs, beside what there is: the one answer that `validate` and the page print, and that a
 * run is refused by. Memory is read off the work that the phases plan and the graphs that will run.
 */
import type { CfsError } from '../../errors.js';
import { expectedSources } from '../sources/index.js';
import type { RowStore } from '../../mixer/rowStore.js';
import { parameterCount } from '../../model/parameters.js';
import type { RunEstimate } from '../../protocol/preview.js';
import type { Provider } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { planFrozen } from '../../trainer/storePlan.js';
import { createCache } from '../cache.js';
import type { Model } from '../model.js';
import { planRun } from '../phases/index.js';
import { storePlanOf } from '../phases/train.js';
import { ofKind, type Requests, type Work } from '../work.js';
import { diskBytes } from './disk.js';
import {
  adviseOn,
  judgeFit,
  memoryProblem,
  type Advice,
  type NeedWords,
  type Smaller,
} from './fit.js';
import { createGraphCosts, type GraphCosts } from './graphs.js';
import { availableMemory, deviceMemory, freeDisk, heldMemory, sharesMemory } from './machine.js';
import {
  addMoments,
  highest,
  memoryNeeds,
  moments,
  totalOf,
  type MemoryNeeds,
  type Moment,
} from './memory.js';

export interface FitRequest {
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
  /** Where the run is, or run folders are made. */
  folder: string;
  /** The run takes place in this process, or after it: what it holds now counts as free. */
  inThisProcess: boolean;
  /** Its tensors are on the device already, so what is free there says nothing any more. */
  begun: boolean;
}

export interface Fit extends Pick<
  RunEstimate,
  'memory' | 'deviceMemory' | 'disk' | 'verdict' | 'reason'
> {
  work: Work[];
  costs: GraphCosts;
  /** Tokens of all rows that are read. */
  rowTokens: number;
  /** `MEMORY_SHORT` where the run needs more than there is. */
  problem: CfsError | undefined;
}

/** Graphs are kept for so many models. */
const keptModels = 2;

/** Asks for the fit of a run. Throws what `planEpoch` throws. */
export function createFitting(): (request: FitRequest) => Promise<Fit> {
  const graphs = createCache<GraphCosts>();

  return async (request) => {
    const { config, model, modelKey, provider, rows, folder, begun } = request;
    const { architecture } = model;
    const costs = await graphs.get(JSON.stringify([modelKey, provider.name]), () =>
      Promise.resolve(createGraphCosts(architecture, provider.name)),
    );
    graphs.trim(keptModels);
    const { work, sources, store, host, device: onDevice } = needsOf(request, config, costs);

    const free = {
      host: availableMemory(request.inThisProcess ? heldMemory() : 0),
      device: begun ? undefined : await deviceMemory(),
    };
    const { memory, device } = roomsOf({ host, device: onDevice }, free);
    const disk = {
      needed: diskBytes({ config, model, store, sources }),
      available: await freeDisk(folder),
    };
    const sharesOf = (changed: RunConfig) => sharesIn(needsOf(request, changed, costs), free);
    let known: Advice | undefined;
    const advise = (): Advice =>
      (known ??= adviseOn(
        config,
        parameterCount(architecture.parameters),
        smallerSettings(work),
        sharesOf,
      ));
    return {
      work,
      costs,
      rowTokens: rows.tokens + request.downstream.tokens,
      memory: { needed: memory.needed, available: memory.available, parts: memory.parts },
      ...(device && {
        deviceMemory: { needed: device.needed, available: device.available, parts: device.parts },
      }),
      disk,
      ...judgeFit(provider.name, { memory, device, disk }, advise),
      problem: memoryProblem({ memory, device }, advise),
    };
  };
}

/** What a run needs with this configuration, where. */
function needsOf(request: FitRequest, config: RunConfig, costs: GraphCosts) {
  const { model, rows, downstream, tasks, provider } = request;
  const sources = expectedSources(config, model, rows);
  const work = planRun({ config, model, sources, downstream, tasks });
  const store = storePlanOf(config, model.architecture, provider.name);
  const rowTokens = rows.tokens + downstream.tokens;
  const needs = memoryNeeds(model.architecture, costs, store, work, rowTokens);
  return { work, sources, store, ...placed(needs) };
}

/** Work with a model that is only read, outside of a run. */
export interface FrozenRequest {
  config: RunConfig;
  model: Model;
  provider: Provider;
  /** What a configuration asks for. */
  work: (config: RunConfig) => Work[];
}

/** What work with a model that is only read does when it needs most. */
const frozenWords: NeedWords = {
  what: 'This',
  sampling: 'writes samples',
  training: 'scores',
};

/** Throws `MEMORY_SHORT` where such work needs more memory than there is, before the weights are read. */
export async function requireFrozenFits(request: FrozenRequest): Promise<void> {
  const { config, model, provider, work } = request;
  const { parameters } = model.architecture;
  const costs = createGraphCosts(model.architecture, provider.name);
  const store = planFrozen(parameters, provider.name);
  const needsWith = (changed: RunConfig): MemoryNeeds =>
    placed(memoryNeeds(model.architecture, costs, store, work(changed), 0));
  const free = { host: availableMemory(heldMemory()), device: await deviceMemory() };
  const problem = memoryProblem(
    roomsOf(needsWith(config), free),
    () =>
      adviseOn(config, parameterCount(parameters), smallerSettings(work(config)), (changed) =>
        sharesIn(needsWith(changed), free),
      ),
    frozenWords,
  );
  if (problem) throw problem;
}

/** Where memory is one, what a GPU needs is taken from the same. */
function placed(needs: MemoryNeeds): MemoryNeeds {
  return sharesMemory ? { host: addMoments(needs.host, needs.device), device: {} } : needs;
}

interface FreeMemory {
  host: number;
  /** Undefined where nothing tells it. */
  device: number | undefined;
}

function roomsOf({ host, device }: MemoryNeeds, free: FreeMemory) {
  const onDevice = Object.keys(device).length > 0;
  return {
    memory: { ...highest(host), available: free.host },
    device: onDevice ? { ...highest(device), available: free.device } : undefined,
  };
}

/** The larger share of what is free, of memory and of GPU memory. */
function sharesIn({ host, device }: MemoryNeeds, free: FreeMemory): Record<Moment, number> {
  return moments((moment) =>
    Math.max(
      totalOf(host[moment]) / free.host,
      free.device === undefined ? 0 : totalOf(device[moment]) / free.device,
    ),
  );
}

/** Halves of what a run would really use, down to one row and one line. */
function smallerSettings(work: readonly Work[]): Smaller {
  const batch = Math.max(1, ...ofKind(work, 'write').map((one) => one.batch));
  const [training] = ofKind(work, 'train');
  const lines = training?.largest.lines ?? 1;
  const time = training?.shape.time ?? 1;
  return { batch: halves(batch), tokens: halves(lines).map((count) => count * time) };
}

function halves(value: number): number[] {
  const next = Math.floor(value / 2);
  return next < 1 ? [] : [next, ...halves(next)];
}
