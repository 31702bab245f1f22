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
import { scoredAtOnce, widthOf, writtenAtOnce } from './seconds.js';

/** Node.js, ONNX Runtime and the tokenizer, before any weight is there. */
const runtimeBytes = 150 * 2 ** 20;
/** ONNX Runtime takes memory in blocks, so it holds more than what is in use at once. */
const arenaFactor = 1.35;
/** A row's tokens and flags, and their room to grow while they are read. */
const bytesPerRowToken = 10;
/** Arrays of the size of the logits that exist at once while a token is chosen. */
const logitCopies = 6;

/** Bytes by what they are for. */
export type MemoryParts = Partial<Record<MemoryPart, number>>;
type MemoryPart =
  | 'runtime'
  | 'weights'
  | 'gradients'
  | 'copies'
  | 'moments'
  | 'base weights'
  | 'activations'
  | 'evaluation'
  | 'samples'
  | 'dataset';

/**
 * When memory is highest: while samples are written, the store holds the base model alone, as memory
 * that nobody has touched yet takes none; while it trains, everything. What is measured in between
 * needs no more than either.
 */
const momentNames = ['sampling', 'training'] as const;
export type Moment = (typeof momentNames)[number];
/** A moment at which nothing is needed is left out. */
export type Moments = Partial<Record<Moment, MemoryParts>>;

export interface MemoryNeeds {
  /** The machine's own memory. */
  host: Moments;
  /** A GPU's; empty where the CPU computes. */
  device: Moments;
}

/** Something for each moment. */
export function moments<T>(of: (moment: Moment) => T): Record<Moment, T> {
  return Object.fromEntries(momentNames.map((name) => [name, of(name)])) as Record<Moment, T>;
}

/** Bytes of all parts. */
export function totalOf(parts: Partial<Record<string, number>> = {}): number {
  return Object.values(parts).reduce<number>((total, bytes) => total + (bytes ?? 0), 0);
}

/** The moment that needs most. */
export function highest(needs: Moments): {
  moment: Moment;
  needed: number;
  parts: Record<string, number>;
} {
  const all = momentNames.map((moment) => {
    const parts = Object.fromEntries(Object.entries(needs[moment] ?? {}));
    return { moment, needed: totalOf(parts), parts };
  });
  return all.reduce((most, one) => (one.needed > most.needed ? one : most));
}

export function addMoments(a: Moments, b: Moments): Moments {
  return moments((moment) => {
    const sum = { ...a[moment] };
    for (const [part, bytes] of Object.entries(b[moment] ?? {}) as [MemoryPart, number][]) {
      sum[part] = (sum[part] ?? 0) + bytes;
    }
    return sum;
  });
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
  const base: MemoryParts = {
    weights: bytes.weight,
    ...(bytes.anchor > 0 ? { 'base weights': bytes.anchor } : {}),
  };
  const kept: MemoryParts = {
    ...base,
    gradients: bytes.gradient,
    moments: bytes.firstMoment + bytes.secondMoment,
  };
  // The runtime returns all gradients in memory of its own, which is given back after the pass.
  const copies = bytes.gradient;
  const passes: MemoryParts = {
    activations: arenaFactor * trainingBytes(ofKind(work, 'train'), costs),
    evaluation: arenaFactor * measuringBytes(ofKind(work, 'score'), costs, architecture),
  };
  const writes = ofKind(work, 'write').map((one) => writingBytes(one, architecture));
  const samples = Math.max(0, ...writes);
  const always = { runtime: runtimeBytes, dataset: rowTokens * bytesPerRowToken };
  if (computesOn === 'host') {
    const sampling = { ...always, ...base, samples };
    return { host: { sampling, training: { ...always, ...kept, copies, ...passes } }, device: {} };
  }
  // Keys and values of what was written lie in this process.
  if (store.place === 'device') {
    return {
      host: { sampling: { ...always, samples }, training: always },
      // Buffers of a device take their memory when they are made.
      device: { sampling: kept, training: { ...kept, copies, ...passes } },
    };
  }
  // Every run takes the weights to the device and brings the gradients back.
  const { weights, gradients } = kept;
  return {
    host: {
      sampling: { ...always, ...base, samples },
      training: { ...always, ...kept, copies },
    },
    device: { sampling: { weights }, training: { weights, gradients, ...passes } },
  };
}

/** Bytes of the activations at the highest moment of training. */
function trainingBytes(work: readonly TrainingWork[], costs: GraphCosts): number {
  const each = work.map(
    ({ shape, largest, more }) => costs.train(shape, more > 0, largest).peakBytes,
  );
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

/** The scorer's sessions, and what tasks have written. */
function measuringBytes(
  work: readonly Requests[],
  costs: GraphCosts,
  architecture: Architecture,
): number {
  const answers = work.flatMap(({ written }) =>
    written.map(({ prompt, tokens }) =>
      writingBytes({ batch: writtenAtOnce, length: prompt + tokens }, architecture),
    ),
  );
  return (
    scoringBytes(work, costs, architecture) +
    answers.reduce((most, bytes) => Math.max(most, bytes), 0)
  );
}

/** Keys and values of all rows, one layer's twice while they grow, and what choosing tokens takes. */
function writingBytes(
  { batch, length }: Pick<WritingWork, 'batch' | 'length'>,
  { layers, kvHeads, headDim, vocabSize }: Architecture,
): number {
  const cache = 2 * layers * kvHeads * headDim * batch * length * 4;
  return cache * (1 + 1 / layers) + arenaFactor * logitCopies * batch * vocabSize * 4;
}
