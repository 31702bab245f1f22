/**
 * A whole line at a time: the forward pass that training and scoring share, from token ids to the
 * scores of each target.
 */
import {
  attention,
  attentionBias,
  gatherRows,
  linearCrossEntropy,
  reshape,
  reshapeRaw,
  rotary,
  rotaryTables,
  times,
  type Graph,
  type Lookup,
  type Sizes,
  type TokenScores,
  type Value,
} from '../graph/index.js';
import { float32, int32, int64, type Feeds } from '../runtime/index.js';
import type { Architecture, Attend } from './architecture.js';
import type { Batch } from './batch.js';
import { positionLookup } from './positions.js';
import type { Weights } from './weights.js';

/**
 * Declares the inputs of a pass over `[batch, time]` tokens and emits it, up to the last block:
 * hidden states `[batch·time, hidden]` before the final norm.
 */
export function forward(g: Graph, architecture: Architecture, w: Weights, time: number): Value {
  const { layers, heads, kvHeads, headDim } = architecture;
  const count = times('batch', time);
  const tokens: Lookup = {
    ids: g.input('ids', 'int32', [count]),
    unique: g.input('unique', 'int32', ['unique']),
  };
  const positions = g.input('positions', 'int64', ['batch', time]);
  const segments = g.input('segments', 'float32', ['batch', time]);

  const biases = new Map<number, Value>();
  const biasOf = (window: number): Value => {
    const bias = biases.get(window) ?? attentionBias(g, segments, 'batch', time, window);
    biases.set(window, bias);
    return bias;
  };
  const attend: Attend = (layer, q, k, v) => {
    const { window, scale, softcap, rope } = architecture.attention(layer);
    const tables = rope && rotaryTables(g, rope.inverseFrequencies, time);
    const rotate = (x: Value, ownHeads: number): Value => {
      if (!tables) return x;
      const lines = reshape(g, x, ['batch', time, ownHeads * headDim]);
      return reshape(g, rotary(g, lines, positions, tables, ownHeads), x.shape);
    };
    const shape = { batch: 'batch', time, heads, kvHeads, headDim };
    const [queries, keys] = [rotate(q, heads), rotate(k, kvHeads)];
    return attention(g, queries, keys, v, biasOf(window), shape, { scale, softcap });
  };

  const lookup = () => positionLookup(g, reshapeRaw(g, positions, [count]), time);
  let x = architecture.embed(g, w, { tokens, positions: lookup });
  for (let layer = 0; layer < layers; layer++) x = architecture.block(g, w, layer, x, attend);
  return x;
}

/**
 * `forward`, then the scores of the targets. They come in `chunks` parts, each with inputs of its
 * own, so that only one part's logits need to exist at a time.
 */
export function trunk(
  g: Graph,
  architecture: Architecture,
  w: Weights,
  time: number,
  chunks: number,
): TokenScores[] {
  const x = forward(g, architecture, w, time);
  return Array.from({ length: chunks }, (_, index) => {
    const count = `targets${index}`;
    const rows = gatherRows(g, x, g.input(`targetPositions${index}`, 'int32', [count]));
    const { hidden, weight, scale, softcap } = architecture.head(g, w, rows);
    const ids = g.input(`targetIds${index}`, 'int32', [count]);
    return linearCrossEntropy(g, hidden, weight, ids, { scale, softcap });
  });
}

/** A part of a batch's targets: `[from, to)` in its target arrays; may be empty. */
export interface Chunk {
  from: number;
  to: number;
}

/** Cuts the targets of a batch into `chunks` nearly equal parts. */
export function chunkTargets(batch: Batch, chunks: number): Chunk[] {
  const edge = (i: number): number => Math.floor((i * batch.targetIds.length) / chunks);
  return Array.from({ length: chunks }, (_, i) => ({ from: edge(i), to: edge(i + 1) }));
}

/** A batch of lines, by what its cost depends on. */
export interface PassSize {
  lines: number;
  targets: number;
  /** Different tokens among those of the batch. */
  unique: number;
}

export function passSizeOf({ batch, ids, targetIds }: Batch): PassSize {
  return { lines: batch, targets: targetIds.length, unique: new Set(ids).size };
}

/** The numbers behind the symbolic sizes of a graph with a `trunk`. */
export function sizesOf({ lines, targets, unique }: PassSize, chunks: number): Sizes {
  // A part without targets scores one that nobody reads.
  const each = Math.max(1, targets / chunks);
  const parts = Array.from({ length: chunks }, (_, i) => [`targets${i}`, each] as const);
  return { batch: lines, unique, ...Object.fromEntries(parts) };
}

/** What `trunk` is fed for a batch, all inputs but the parameters. */
export function batchFeeds(batch: Batch, chunks: number): Feeds {
  const { batch: lines, time, ids } = batch;
  const unique = Int32Array.from(new Set(ids));
  const feeds: Feeds = {
    ids: int32(ids, [lines * time]),
    unique: int32(unique, [unique.length]),
    positions: int64(batch.positions, [lines, time]),
    segments: float32(Float32Array.from(batch.segments), [lines, time]),
  };
  chunkTargets(batch, chunks).forEach(({ from, to }, i) => {
    // A graph input cannot be empty: an empty part scores token 0 at position 0, which no one reads.
    const cut = (values: Int32Array): Int32Array =>
      from === to ? new Int32Array(1) : values.subarray(from, to);
    const positions = cut(batch.targetPositions);
    feeds[`targetPositions${i}`] = int32(positions, [positions.length]);
    feeds[`targetIds${i}`] = int32(cut(batch.targetIds), [positions.length]);
  });
  return feeds;
}
