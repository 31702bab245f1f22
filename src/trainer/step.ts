/**
 * One optimizer step: the micro-batches' gradients are gathered, clipped by their global norm and
 * given to the optimizer.
 */
import { defined } from '../errors.js';
import * as operators from '../graph/index.js';
import { planCost, type Graph } from '../graph/index.js';
import type { Architecture } from '../model/architecture.js';
import { countSupervised, type Batch } from '../model/batch.js';
import { splitIntoBatches } from '../model/packing.js';
import { gradientName, trainFeeds, trainGraph, type LossTerms } from '../model/trainGraph.js';
import { chunkTargets, passSizeOf, sizesOf } from '../model/trunk.js';
import type { Method, MethodSettings } from '../methods/index.js';
import type { MixedStep } from '../mixer/step.js';
import {
  floats,
  heldFeeds,
  kernelsOf,
  type Device,
  type Held,
  type Session,
} from '../runtime/index.js';
import type { ParameterStore } from './store.js';
import { bytesByKind, trainedTensors } from './storePlan.js';
import { own, setOwn } from '../own.js';

export interface StepShape {
  /** Tokens per line: no row may be longer. */
  time: number;
  /** Tokens of one forward and backward pass; a step of more is done in several. */
  maxTokens: number;
  /** Parts in which the loss is computed; chosen from the size of the vocabulary when left out. */
  lossChunks?: number;
}

/** What a step minimises: Σ weight · (−log p + term) over its supervised tokens. */
export interface Objective {
  /** One for every supervised token, row after row. `[supervised tokens]` */
  targetWeights: (step: MixedStep) => Float32Array;
  terms?: LossTerms;
}

/** What a method minimises. */
export function objectiveOf(method: Method, settings: MethodSettings): Objective {
  const terms = method.terms?.bind(method);
  return {
    targetWeights: (step) => method.targetWeights(step, settings),
    ...(terms ? { terms: (g, nll) => terms(operators, g, nll, settings) } : {}),
  };
}

export interface GradientReport {
  /** Σ weight · (−log p + term): what the gradients in the store are of. */
  loss: number;
  /** Mean −log p over the supervised tokens of each source that the step holds, nats, by its id. */
  losses: Record<string, number>;
  /** Global ℓ2 norm of the gradients, before clipping. */
  norm: number;
  /** −log p of every supervised token, nats, row after row in the step's order. */
  nll: Float32Array;
  /** Tokens that went through the model, without padding. */
  tokens: number;
}

export interface GradientComputer {
  /** Leaves the gradients of a step's loss in the store. */
  compute(step: MixedStep): Promise<GradientReport>;
  release(): Promise<void>;
}

/** At most this many bytes of logits exist at a time. */
const logitBytes = 64 * 2 ** 20;

/** Parts in which the loss of so many tokens is computed. */
export function lossChunksFor({ vocabSize }: Architecture, maxTokens: number): number {
  return Math.max(1, Math.ceil((maxTokens * vocabSize * 4) / logitBytes));
}

export function createGradientComputer(
  device: Device,
  architecture: Architecture,
  store: ParameterStore,
  { time, maxTokens, lossChunks }: StepShape,
  { targetWeights, terms }: Objective,
): GradientComputer {
  const chunks = lossChunks ?? lossChunksFor(architecture, maxTokens);
  const names = trainedTensors(store.plan).map(({ name }) => gradientName(name));
  let taken: Promise<unknown> | undefined;
  /** The memory of gradients and moments, of activations, and of the copies that a run returns. */
  const takeMemory = (graph: Graph, batch: Batch): Promise<unknown> => {
    const { peakBytes } = planCost(graph)(sizesOf(passSizeOf(batch), chunks));
    const copies = bytesByKind(store.plan).gradient;
    return Promise.all([store.touch(), device.reserve(peakBytes + copies)]);
  };
  let open: Passes | undefined;
  /** One at a time, as each keeps the memory of its activations; once passes add, all do. */
  const passesOf = async (several: boolean, batch: Batch): Promise<Passes> => {
    if (open !== undefined && (open.accumulate || !several)) return open;
    await open?.session.release();
    open = undefined;
    const kernels = kernelsOf(device.provider.name);
    const accumulate = several;
    const graph = trainGraph(architecture, { kernels, time, chunks, accumulate, terms });
    const [session] = await Promise.all([
      device.session(graph.encode('train'), names),
      // Making a session keeps one thread busy.
      (taken ??= takeMemory(graph, batch)),
    ]);
    open = { accumulate, session };
    return open;
  };
  const into: Record<string, Held> = {};
  for (const [name, held] of store.gradients) setOwn(into, gradientName(name), held);

  const run = async (
    { session, accumulate }: Passes,
    batch: Batch,
    weights: Float32Array,
  ): Promise<Passed> => {
    const outputs = await session.run(
      {
        ...heldFeeds(store.weights),
        ...(accumulate ? heldFeeds(store.gradients, 'sum.') : {}),
        ...trainFeeds(batch, weights, chunks),
      },
      into,
    );
    const gather = (name: string): Float32Array => {
      const values = new Float32Array(batch.targetIds.length);
      chunkTargets(batch, chunks).forEach(({ from, to }, i) => {
        values.set(floats(own(outputs, name + i)).subarray(0, to - from), from);
      });
      return values;
    };
    return {
      nll: gather('nll'),
      term: terms && gather('term'),
      squaredNorm: floats(outputs.squaredNorm)[0] as number,
    };
  };

  return {
    compute: async (step) => {
      const weightOf = targetWeights(step);
      const place = createPlaces(step.rows.map(countSupervised));
      const nll = new Float32Array(weightOf.length);
      const batches = splitIntoBatches(step.rows, { maxTime: time, multiple: time, maxTokens });
      const passes = await passesOf(batches.length > 1, defined(batches[0], 'batch of a step'));
      if (passes.accumulate) await store.clearGradients();
      const means = createMeans();
      let loss = 0;
      let squaredNorm = 0;
      for (const batch of batches) {
        const places = batch.targetRows.map(place);
        const weights = Float32Array.from(places, (at) => weightOf[at] as number);
        const passed = await run(passes, batch, weights);
        // The gradients are sums over the micro-batches so far, and so is their norm.
        squaredNorm = passed.squaredNorm;
        passed.nll.forEach((value, i) => {
          nll[places[i] as number] = value;
          loss += (value + (passed.term?.[i] ?? 0)) * (weights[i] as number);
          means.add(step.sources[batch.targetRows[i] as number] as string, value);
        });
      }
      return {
        loss,
        losses: means.all(),
        norm: Math.sqrt(squaredNorm),
        nll,
        tokens: step.rows.reduce((sum, { ids }) => sum + ids.length, 0),
      };
    },
    release: async () => {
      await open?.session.release();
    },
  };
}

/** The mean of the values added under each name. */
function createMeans() {
  const sums = new Map<string, { sum: number; count: number }>();
  return {
    add: (name: string, value: number): void => {
      const entry = sums.get(name) ?? { sum: 0, count: 0 };
      entry.sum += value;
      entry.count++;
      sums.set(name, entry);
    },
    all: (): Record<string, number> =>
      Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count])),
  };
}

/**
 * Where the supervised tokens of rows stand when all of them lie row after row: the answer counts up
 * within a row, whose tokens come in order, and takes the rows as they come.
 */
function createPlaces(counts: readonly number[]): (row: number) => number {
  let total = 0;
  const next = counts.map((count) => (total += count) - count);
  return (row) => (next[row] as number)++;
}

interface Passes {
  session: Session;
  /** Whether gradients are added to those in the store. */
  accumulate: boolean;
}

interface Passed {
  nll: Float32Array;
  /** What the method adds to each; undefined where it adds nothing. */
  term: Float32Array | undefined;
  squaredNorm: number;
}
