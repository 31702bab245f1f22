/**
 * The graph of one training step: forward, weighted loss, backward. It knows nothing of methods: the
 * loss is Σ weight · (−log p + term) over the targets, and what weights and terms are is theirs to say.
 */
import {
  add,
  differentiate,
  Graph,
  mul,
  sumAll,
  type Kernels,
  type Value,
} from '../graph/index.js';
import { float32, type Feeds } from '../runtime/index.js';
import type { Architecture } from './architecture.js';
import type { Batch } from './batch.js';
import { batchFeeds, chunkTargets, trunk } from './trunk.js';
import { createWeights, weightInputs, type BackingFor } from './weights.js';

/** What is added to the −log p of each target; both `[targets]`, in nats. */
export type LossTerms = (g: Graph, nll: Value) => Value;

export interface TrainGraphOptions {
  kernels: Kernels;
  /** Tokens per line. */
  time: number;
  /** Parts in which the loss is computed. */
  chunks: number;
  /** Whether gradients are added to those of earlier micro-batches, fed as `sum.NAME`. */
  accumulate: boolean;
  /** What provides the weights; inputs that are trained when left out. */
  backing?: BackingFor;
  /** What a method adds to the loss of each target. */
  terms?: LossTerms;
}

/**
 * Inputs: those of `trunk`, `targetWeights0`…, the weights, and `sum.NAME` where gradients
 * accumulate. Outputs: `nll0`… `[targets]`, and `term0`… where there are terms; `squaredNorm` `[]` of
 * all gradients together; `gradient.NAME` for everything that is trained.
 */
export function trainGraph(architecture: Architecture, options: TrainGraphOptions): Graph {
  const { kernels, time, chunks, accumulate, terms, backing: backingFor = weightInputs } = options;
  const g = new Graph(kernels);
  const backing = backingFor(g);
  const w = createWeights(g, backing);
  const losses = trunk(g, architecture, w, time, chunks).map(({ nll }, i) => {
    const weights = g.input(`targetWeights${i}`, 'float32', nll.shape);
    g.output(`nll${i}`, nll);
    if (terms === undefined) return sumAll(g, mul(g, nll, weights));
    const term = terms(g, nll);
    g.output(`term${i}`, term);
    return sumAll(g, mul(g, add(g, nll, term), weights));
  });
  const loss = losses.reduce((total, part) => add(g, total, part));
  const trained = backing.trainable();
  const values = trained.map(({ value }) => value);
  const sums = accumulate
    ? trained.map(({ name, value }) => g.input(`sum.${name}`, value.type, value.shape))
    : [];
  const gradients = differentiate(g, loss, values, sums);
  const squares = gradients.map((gradient) =>
    g.emit('ReduceSumSquare', [gradient], [], { attributes: { keepdims: 0 } }),
  );
  g.output(
    'squaredNorm',
    squares.reduce((total, part) => g.emit('Add', [total, part], [])),
  );
  trained.forEach(({ name }, i) => {
    const gradient = gradients[i];
    if (gradient) g.output(gradientName(name), gradient);
  });
  return g;
}

/** The output that holds the gradient of what is trained under `name`. */
export function gradientName(name: string): string {
  return `gradient.${name}`;
}

/** What a training graph is fed for a batch, all inputs but parameters and earlier gradients. */
export function trainFeeds(batch: Batch, weights: Float32Array, chunks: number): Feeds {
  const feeds = batchFeeds(batch, chunks);
  chunkTargets(batch, chunks).forEach(({ from, to }, i) => {
    // The stand-in for an empty part (see `batchFeeds`) weighs nothing.
    const part = from === to ? new Float32Array(1) : weights.subarray(from, to);
    feeds[`targetWeights${i}`] = float32(part, [part.length]);
  });
  return feeds;
}
