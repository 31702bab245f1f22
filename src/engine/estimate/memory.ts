/**
 * The memory of a run at its highest moment, part by part. What a graph needs is read off the graph
 * (`graph/cost.ts`); the factors are fitted to the measured peaks of real runs
 * (`npm run bench:estimate`, bench/results/estimate.md).
 */
import type { Architecture } from '../../model/architecture.js';
import { parameterCount } from '../../model/parameters.js';
import type { GraphCosts } from './graphs.js';
import type { Requests } from './requests.js';
import { widthOf } from './seconds.js';
import type { TrainingWork, WritingWork } from './work.js';

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

export type MemoryParts = Record<
  'runtime' | 'weights' | 'gradients' | 'moments' | 'activations' | 'evaluation' | 'dataset',
  number
>;

/** Bytes by what they are for; together they are the highest moment. */
export function memoryParts(
  architecture: Architecture,
  costs: GraphCosts,
  work: {
    training: TrainingWork;
    writing: readonly WritingWork[];
    evaluating: readonly Requests[];
    rowTokens: number;
  },
): MemoryParts {
  const { training, writing, evaluating, rowTokens } = work;
  const weights = 4 * parameterCount(architecture.parameters);
  const first = costs.train(training.shape, false, training.largest).peakBytes;
  // The passes that add to a first one have a session, and so memory, of their own.
  const next =
    training.more > 0 ? costs.train(training.shape, true, training.largest).peakBytes : 0;
  const activations = arenaFactor * (first + next);
  const evaluation = arenaFactor * scoringBytes(evaluating, costs, architecture);
  const writes = Math.max(0, ...writing.map((one) => writingBytes(one, architecture, weights)));
  return {
    runtime: runtimeBytes,
    weights,
    gradients: weights,
    moments: 2 * weights,
    // Samples are written before anything is trained on: the larger of the two moments counts.
    activations: Math.max(activations, writes - evaluation),
    evaluation,
    dataset: rowTokens * bytesPerRowToken,
  };
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
