/**
 * The memory of a run at its highest moment, part by part. What a graph needs is read off the graph
 * (`graph/cost.ts`); the factors are fitted to the measured peaks of real runs
 * (`npm run bench:estimate`, bench/results/estimate.md).
 */
import type { Architecture } from '../../model/architecture.js';
import { providers } from '../../runtime/index.js';
import { bytesByKind, type StorePlan } from '../../trainer/storePlan.js';
import { ofKind, type Requests, type TrainingWork, type Work, type WritingWork } from '../work.js';
import type { GraphCosts } from './graphs.js';
import { widthOf } from './seconds.js';

/** Node.js, ONNX Runtime and the tokenizer, before any weight is there. */
const runtimeBytes = 150 * 2 ** 20;
/** ONNX Runtime takes memory in blocks, so it holds more than what is in use at once. */
const arenaFactor = 1.35;
/** Copies of the weights while a decoder stores them in its graph, beside the ones it reads. */
const decoderCopies = 3;
/** A row's tokens and flags, and their room to grow while they are read. */
const bytesPerRowToken = 10;
/** Tokens of one pass of the scorer. */
const scoredAtOnce = 2048;

/** Bytes by what they are for. */
export type MemoryParts = Partial<Record<MemoryPart, number>>;
type MemoryPart =
  | 'runtime'
  | 'weights'
  | 'gradients'
  | 'moments'
  | 'base weights'
  | 'activations'
  | 'evaluation'
  | 'samples'
  | 'dataset';

export interface MemoryNeeds {
  /** The machine's own memory; together its parts are the highest moment. */
  host: MemoryParts;
  /** A GPU's; empty where the CPU computes. */
  device: MemoryParts;
}

/** What a run with this work needs where. */
export function memoryNeeds(
  architecture: Architecture,
  costs: GraphCosts,
  store: StorePlan,
  work: readonly Work[],
  rowTokens: number,
): MemoryNeeds {
  const { computesOn } = providers[costs.provider];
  const bytes = bytesByKind(store);
  const kept: MemoryParts = {
    weights: bytes.weight,
    gradients: bytes.gradient,
    moments: bytes.firstMoment + bytes.secondMoment,
    ...(bytes.anchor > 0 ? { 'base weights': bytes.anchor } : {}),
  };
  const passes = {
    activations: arenaFactor * trainingBytes(ofKind(work, 'train'), costs),
    evaluation: arenaFactor * scoringBytes(ofKind(work, 'score'), costs, architecture),
  };
  const writes = ofKind(work, 'write').map((one) => writingBytes(one, architecture, bytes.weight));
  const samples = Math.max(0, ...writes);
  const always = { runtime: runtimeBytes, dataset: rowTokens * bytesPerRowToken };
  if (computesOn === 'host') {
    const { activations, evaluation } = passes;
    // Samples are written before anything is trained on: the larger of the two moments counts.
    const highest = Math.max(activations, samples - evaluation);
    return { host: { ...always, ...kept, ...passes, activations: highest }, device: {} };
  }
  if (store.place === 'device')
    return { host: { ...always, samples }, device: { ...kept, ...passes } };
  // Every run takes the weights to the device and brings the gradients back.
  const { weights, gradients } = kept;
  return { host: { ...always, ...kept, samples }, device: { weights, gradients, ...passes } };
}

/** Bytes of the activations at the highest moment of training. */
function trainingBytes(work: readonly TrainingWork[], costs: GraphCosts): number {
  const each = work.map(({ shape, largest, more }) => {
    const first = costs.train(shape, false, largest).peakBytes;
    // The passes that add to a first one have a session, and so memory, of their own.
    return first + (more > 0 ? costs.train(shape, true, largest).peakBytes : 0);
  });
  return Math.max(0, ...each);
}

/** The scorer keeps a session for each width that has come up. */
function scoringBytes(
  work: readonly Requests[],
  costs: GraphCosts,
  architecture: Architecture,
): number {
  const widths = new Map<number, { rows: number; targets: number }>();
  for (const { tokens, targets, rows } of work.flatMap(({ scored }) => scored)) {
    const width = widthOf(tokens, architecture);
    const most = widths.get(width) ?? { rows: 0, targets: 0 };
    widths.set(width, { rows: most.rows + rows, targets: Math.max(most.targets, targets) });
  }
  return [...widths].reduce((sum, [width, { rows, targets }]) => {
    const lines = Math.min(Math.ceil(rows), Math.max(1, Math.floor(scoredAtOnce / width)));
    return sum + costs.score(width, { lines, targets: lines * targets, unique: 1 }).peakBytes;
  }, 0);
}

function writingBytes(
  { batch, length }: WritingWork,
  { layers, kvHeads, headDim, vocabSize }: Architecture,
  weights: number,
): number {
  const cache = 2 * layers * kvHeads * headDim * batch * length * 4;
  const logits = batch * vocabSize * 4;
  return decoderCopies * weights + 2 * cache + 4 * logits;
}
