/**
 * One optimizer step: the micro-batches' gradients are gathered, clipped by their global norm and
 * given to AdamW.
 */
import type { Architecture } from '../model/architecture.js';
import type { Batch } from '../model/batch.js';
import { splitIntoBatches } from '../model/packing.js';
import { gradientName, trainFeeds, trainGraph } from '../model/trainGraph.js';
import { chunkTargets } from '../model/trunk.js';
import type { MixedStep } from '../mixer/mixer.js';
import { floats, kernelsOf, type Device, type Held, type Session } from '../runtime/index.js';
import { countTargets, type Objective } from './objective.js';
import type { ParameterStore } from './store.js';
import { trainedTensors } from './storePlan.js';

export interface StepShape {
  /** Tokens per line: no row may be longer. */
  time: number;
  /** Tokens of one forward and backward pass; a step of more is done in several. */
  maxTokens: number;
  /** Parts in which the loss is computed; chosen from the size of the vocabulary when left out. */
  lossChunks?: number;
}

export interface GradientReport {
  /** Σ weight · (−log p): what the gradients in the store are of. */
  loss: number;
  /** Mean −log p over the targets of each source, nats; `undefined` where there are none. */
  sourceLoss: { dataset: number | undefined; cfs: number | undefined };
  /** Global ℓ2 norm of the gradients, before clipping. */
  norm: number;
  /** −log p of every target, nats, row after row in the step's order. */
  nll: Float32Array;
  /** Tokens that went through the model, without padding. */
  tokens: number;
}

export interface GradientComputer {
  /** Leaves the gradients of a step's loss in the store. */
  compute(step: MixedStep, objective: Objective): Promise<GradientReport>;
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
): GradientComputer {
  const chunks = lossChunks ?? lossChunksFor(architecture, maxTokens);
  const names = trainedTensors(store.plan).map(({ name }) => gradientName(name));
  const sessions = new Map<boolean, Promise<Session>>();
  const sessionFor = (accumulate: boolean): Promise<Session> => {
    const known = sessions.get(accumulate);
    if (known) return known;
    const kernels = kernelsOf(device.provider.name);
    const model = trainGraph(architecture, { kernels, time, chunks, accumulate });
    const session = device.session(model.encode('train'), names);
    sessions.set(accumulate, session);
    return session;
  };
  const into: Record<string, Held> = {};
  for (const [name, held] of store.gradients) into[gradientName(name)] = held;

  const run = async (batch: Batch, weights: Float32Array, first: boolean): Promise<Passed> => {
    const session = await sessionFor(!first);
    const outputs = await session.run(
      {
        ...tensors(store.weights, ''),
        ...(first ? {} : tensors(store.gradients, 'sum.')),
        ...trainFeeds(batch, weights, chunks),
      },
      into,
    );
    const nll = new Float32Array(batch.targetIds.length);
    chunkTargets(batch, chunks).forEach(({ from, to }, i) => {
      nll.set(floats(outputs[`nll${i}`]).subarray(0, to - from), from);
    });
    return { nll, squaredNorm: floats(outputs.squaredNorm)[0] as number };
  };

  return {
    compute: async (step, objective) => {
      const rowWeights = objective.rowWeights(step);
      const batches = splitIntoBatches(step.rows, { maxTime: time, multiple: time, maxTokens });
      const sums = { dataset: 0, cfs: 0 };
      const counts = { dataset: 0, cfs: 0 };
      const nll = placeTargets(step.rows.map(({ supervised }) => countTargets(supervised)));
      let loss = 0;
      let squaredNorm = 0;
      for (const [index, batch] of batches.entries()) {
        const weights = Float32Array.from(batch.targetRows, (row) => rowWeights[row] as number);
        const passed = await run(batch, weights, index === 0);
        // The gradients are sums over the micro-batches so far, and so is their norm.
        squaredNorm = passed.squaredNorm;
        passed.nll.forEach((value, i) => {
          const row = batch.targetRows[i] as number;
          const source = step.sources[row] ?? 'dataset';
          nll.put(row, value);
          loss += value * (weights[i] as number);
          sums[source] += value;
          counts[source]++;
        });
      }
      return {
        loss,
        sourceLoss: {
          dataset: counts.dataset > 0 ? sums.dataset / counts.dataset : undefined,
          cfs: counts.cfs > 0 ? sums.cfs / counts.cfs : undefined,
        },
        norm: Math.sqrt(squaredNorm),
        nll: nll.values,
        tokens: step.rows.reduce((sum, { ids }) => sum + ids.length, 0),
      };
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release();
    },
  };
}

/** An array with room for so many targets per row, filled row by row in any order of rows. */
function placeTargets(counts: number[]) {
  let total = 0;
  const next = counts.map((count) => (total += count) - count);
  const values = new Float32Array(total);
  const put = (row: number, value: number): void => {
    values[(next[row] as number)++] = value;
  };
  return { values, put };
}

interface Passed {
  nll: Float32Array;
  squaredNorm: number;
}

function tensors(held: ReadonlyMap<string, Held>, prefix: string) {
  return Object.fromEntries([...held].map(([name, { tensor }]) => [prefix + name, tensor]));
}
