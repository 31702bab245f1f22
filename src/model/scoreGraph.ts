/** Scoring rows of tokens: log-probabilities of their targets, without gradients. */
import { defined } from '../errors.js';
import { Graph, type Kernels } from '../graph/index.js';
import {
  floats,
  heldFeeds,
  kernelsOf,
  type Device,
  type HeldWeights,
  type Session,
} from '../runtime/index.js';
import type { Architecture } from './architecture.js';
import type { Batch, TokenRow } from './batch.js';
import { splitIntoBatches } from './packing.js';
import { batchFeeds, chunkTargets, trunk } from './trunk.js';
import { createWeights, weightInputs } from './weights.js';

/** The scores of a row's targets, in the order of the tokens. */
export interface RowScores {
  /** log p of each target, nats. `[targets]` */
  logprob: Float32Array;
  /** 1 where the target is the model's first choice. `[targets]` */
  greedy: Uint8Array;
}

export interface Scorer {
  /**
   * Scores rows with `weights` (by parameter name), of at most one token more than the model's context
   * (the last one is a target only); the answer follows their order.
   */
  score(weights: HeldWeights, rows: TokenRow[]): Promise<RowScores[]>;
  release(): Promise<void>;
}

/** Tokens in one forward pass; more would only take memory. */
const maxTokens = 2048;
/** Parts of a batch's targets whose logits exist at a time. */
export const scoreChunks = 4;

/** A scorer for all weights of this architecture; sessions are shared between calls. */
export function createScorer(device: Device, architecture: Architecture): Scorer {
  const sessions = new Map<number, Promise<Session>>();
  const sessionFor = (time: number): Promise<Session> => {
    const session =
      sessions.get(time) ??
      device.session(
        scoreGraph(architecture, kernelsOf(device.provider.name), time).encode('score'),
      );
    sessions.set(time, session);
    return session;
  };
  return {
    score: async (weights, rows) => {
      const parameters = heldFeeds(weights);
      const scores = rows.map(({ supervised }) => emptyScores(supervised));
      const filled = new Uint32Array(rows.length);
      for (const { batch, rowIndices } of batchesOf(rows, architecture.contextLength + 1)) {
        const session = await sessionFor(batch.time);
        const outputs = await session.run({ ...parameters, ...batchFeeds(batch, scoreChunks) });
        chunkTargets(batch, scoreChunks).forEach(({ from, to }, chunk) => {
          const nll = floats(outputs[`nll${chunk}`]);
          const margin = floats(outputs[`margin${chunk}`]);
          for (let i = from; i < to; i++) {
            const row = rowIndices[batch.targetRows[i] as number] as number;
            const target = scores[row] as RowScores;
            const at = (filled[row] as number)++;
            target.logprob[at] = -(nll[i - from] as number);
            target.greedy[at] = margin[i - from] === 0 ? 1 : 0;
          }
        });
      }
      return scores;
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release();
    },
  };
}

/** The graph with inputs as `trunk` and the weights, outputs `nll0`…, `margin0`… . */
export function scoreGraph(architecture: Architecture, kernels: Kernels, time: number): Graph {
  const g = new Graph(kernels);
  const w = createWeights(g, weightInputs(g));
  trunk(g, architecture, w, time, scoreChunks).forEach(({ nll, margin }, i) => {
    g.output(`nll${i}`, nll);
    g.output(`margin${i}`, margin);
  });
  return g;
}

/** Rows sorted into widths that double, so that few graphs serve all lengths. */
function batchesOf(rows: TokenRow[], longest: number): { batch: Batch; rowIndices: number[] }[] {
  const byWidth = new Map<number, number[]>();
  rows.forEach(({ ids }, index) => {
    const width = Math.min(2 ** Math.ceil(Math.log2(Math.max(ids.length, 16))), longest);
    byWidth.set(width, (byWidth.get(width) ?? []).concat(index));
  });
  return [...byWidth].flatMap(([width, rowIndices]) => {
    const group = rowIndices.map((index) => defined(rows[index], 'row'));
    const layout = { maxTime: width, multiple: width, maxTokens: Math.max(maxTokens, width) };
    return splitIntoBatches(group, layout).map((batch) => ({ batch, rowIndices }));
  });
}

function emptyScores(supervised: Uint8Array): RowScores {
  const targets = supervised.reduce((sum, flag) => sum + flag, 0);
  return { logprob: new Float32Array(targets), greedy: new Uint8Array(targets) };
}
