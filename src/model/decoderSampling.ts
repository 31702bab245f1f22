/**
 * Choosing the next token inside the decode graph: exact inversion of the cumulative distribution at
 * a uniform number that JavaScript drew, so the same seed gives the same token on every provider
 * and no vocabulary-sized tensor ever leaves the graph.
 */
import { cast, matmul, numeric, type Dim, type Graph, type Value } from '../graph/index.js';

/** How the next token is chosen. */
export type Sampling =
  | 'greedy'
  | {
      /** Divides the logits; above 0. */
      temperature: number;
      /** Keep only the k most likely tokens. */
      topK?: number | undefined;
      /** Keep the likeliest tokens until their probability reaches p, with the one that crosses it. */
      topP?: number | undefined;
    };

export interface Choice {
  /** int32 `[rows]` */
  token: Value;
  /** log p(token) of the full distribution at T = 1, nats. `[rows]` */
  logprob: Value;
  /** Entropy of the full distribution at T = 1, nats. `[rows]` */
  entropy: Value;
}

/** Emits the choice from `logits` `[rows, vocab]` and `uniform` `[rows, 1]` in [0, 1). */
export function chooseToken(g: Graph, logits: Value, uniform: Value, sampling: Sampling): Choice {
  const rows = numeric(logits.shape[0]);
  const p = softmaxRaw(g, logits);
  const token = pickToken(g, logits, p, uniform, sampling);

  // log Σ exp z = max z − log max p, and max p ≥ 1/vocab is never lost to underflow.
  const column = [rows, 1];
  const largest = g.emit('ReduceMax', [logits, g.ints([1])], column);
  const logLargest = g.emit('Log', [g.emit('ReduceMax', [p, g.ints([1])], column)], column);
  const logTotal = g.emit('Sub', [largest, logLargest], column);
  const chosen = g.emit('GatherElements', [logits, token], column, { attributes: { axis: 1 } });
  const line = [rows, 1, numeric(logits.shape[1])];
  const dots = matmul(g, reshapeTo(g, p, line), reshapeTo(g, logits, line), { transB: true });
  const expected = reshapeTo(g, dots, column);
  return {
    token: reshapeTo(g, token, [rows]),
    logprob: reshapeTo(g, g.emit('Sub', [chosen, logTotal], column), [rows]),
    entropy: reshapeTo(g, g.emit('Sub', [logTotal, expected], column), [rows]),
  };
}

/** int32 `[rows, 1]` */
function pickToken(g: Graph, logits: Value, p: Value, uniform: Value, sampling: Sampling): Value {
  if (sampling === 'greedy') {
    const best = g.emit('ArgMax', [logits], uniform.shape, {
      type: 'int64',
      attributes: { axis: 1 },
    });
    return cast(g, best, 'int32');
  }
  const { temperature, topK, topP } = sampling;
  const vocab = numeric(logits.shape[1]);
  const weights =
    temperature === 1
      ? p
      : softmaxRaw(g, g.emit('Mul', [logits, g.scalar(1 / temperature, logits)], logits.shape));
  if (topK !== undefined && topK < vocab) return pickAmong(g, weights, uniform, topK, topP ?? 1);
  if (topP !== undefined && topP < 1) return pickNucleus(g, weights, uniform, topP);
  return pickInBlocks(g, weights, uniform);
}

/** How many of the likeliest tokens are sorted before it is known whether top-p needs them all. */
const nucleusGuess = 256;

/**
 * Top-p over the whole vocabulary. Sorting all of it is a hundred times slower than finding the
 * likeliest few, which nearly always hold the nucleus: only when they do not in some row is
 * everything sorted.
 */
function pickNucleus(g: Graph, weights: Value, uniform: Value, topP: number): Value {
  const vocab = numeric(weights.shape[1]);
  if (vocab <= nucleusGuess) return pickAmong(g, weights, uniform, vocab, topP);
  const [likeliest] = g.node('TopK', [weights, g.ints([nucleusGuess])], topShapes(weights), {
    attributes: { axis: 1 },
  }) as [Value, Value];
  const held = g.emit('ReduceSum', [likeliest, g.ints([1])], uniform.shape);
  const least = g.emit('ReduceMin', [held], [], { attributes: { keepdims: 0 } });
  // A little above p, because the two sums are rounded differently.
  const enough = g.emit('Greater', [least, g.scalar(topP + 1e-5, least)], [], { type: 'bool' });
  const branch = (name: string, count: number): Graph => {
    const body = g.subgraph(name);
    body.output(`${name}_token`, pickAmong(body, weights, uniform, count, topP));
    return body;
  };
  return g.emit('If', [enough], uniform.shape, {
    type: 'int32',
    attributes: {
      then_branch: { graph: branch('few', nucleusGuess) },
      else_branch: { graph: branch('all', vocab) },
    },
  });
}

function topShapes(weights: Value): { shape: Dim[]; type?: 'int64' }[] {
  const shape = [numeric(weights.shape[0]), nucleusGuess];
  return [{ shape }, { shape, type: 'int64' }];
}

/** One of the `count` likeliest tokens, cut to the nucleus of mass `topP` of theirs. */
function pickAmong(g: Graph, weights: Value, uniform: Value, count: number, topP: number): Value {
  const rows = numeric(weights.shape[0]);
  const shape = [rows, count];
  const [sorted, ids] = g.node(
    'TopK',
    [weights, g.ints([count])],
    [{ shape }, { shape, type: 'int64' }],
    { attributes: { axis: 1 } },
  ) as [Value, Value];
  const kept = topP < 1 ? cutToNucleus(g, sorted, topP) : sorted;
  const { index } = invert(g, kept, uniform);
  const token = g.emit('GatherElements', [ids, index], [rows, 1], {
    type: 'int64',
    attributes: { axis: 1 },
  });
  return cast(g, token, 'int32');
}

/** Zero for every weight of `sorted` before which the sum has already reached `topP` of the total. */
function cutToNucleus(g: Graph, sorted: Value, topP: number): Value {
  const before = g.emit('CumSum', [sorted, g.ints([1])], sorted.shape, {
    attributes: { exclusive: 1 },
  });
  const total = g.emit('ReduceSum', [sorted, g.ints([1])], [numeric(sorted.shape[0]), 1]);
  const limit = g.emit('Mul', [total, g.scalar(topP, total)], total.shape);
  const inside = g.emit('Less', [before, limit], sorted.shape, { type: 'bool' });
  return g.emit('Where', [inside, sorted, g.scalar(0, sorted)], sorted.shape, {
    type: sorted.type,
  });
}

/** The whole vocabulary in two levels: the block by the blocks' sums, then the token inside it. */
function pickInBlocks(g: Graph, weights: Value, uniform: Value): Value {
  const [rows, vocab] = weights.shape.map(numeric) as [number, number];
  const size = blockSize(vocab);
  const blocks = vocab / size;
  if (blocks === 1) return invert(g, weights, uniform).index;
  const cells = reshapeTo(g, weights, [rows * blocks, size]);
  const sums = g.emit('ReduceSum', [cells, g.ints([1])], [rows * blocks, 1]);
  const outer = invert(g, reshapeTo(g, sums, [rows, blocks]), uniform);

  const firstOfRow = Int32Array.from({ length: rows }, (_, row) => row * blocks);
  const offset = g.initializer(`block_of_row_${outer.index.name}`, firstOfRow, [rows, 1]);
  const cell = g.emit('Add', [outer.index, offset], [rows, 1], { type: 'int32' });
  const inside = g.emit('Gather', [cells, reshapeTo(g, cell, [rows])], [rows, size]);
  const inner = invertAt(g, inside, outer.rest);
  const start = g.emit(
    'Mul',
    [outer.index, g.initializer(`block_size_${outer.index.name}`, Int32Array.of(size), [])],
    [rows, 1],
    { type: 'int32' },
  );
  return g.emit('Add', [start, inner.index], [rows, 1], { type: 'int32' });
}

interface Inverted {
  /** int32 `[rows, 1]` */
  index: Value;
  /** How far the target lies into the chosen weight. `[rows, 1]` */
  rest: Value;
}

/** The first index at which the running sum of `weights` `[rows, n]` exceeds `uniform` · total. */
function invert(g: Graph, weights: Value, uniform: Value): Inverted {
  const total = g.emit('ReduceSum', [weights, g.ints([1])], uniform.shape);
  // Not exactly 0: weights too small for a normal float32 are never drawn.
  const above = g.emit('Max', [uniform, g.scalar(2 ** -25, uniform)], uniform.shape);
  return invertAt(g, weights, g.emit('Mul', [above, total], uniform.shape));
}

/**
 * The first index at which the running sum of `weights` `[rows, n]` exceeds `target` `[rows, 1]`.
 * The target is kept within [0, last sum), whatever was rounded on the way, so there always is
 * one, and its weight is never zero.
 */
function invertAt(g: Graph, weights: Value, target: Value): Inverted {
  const [rows, n] = weights.shape.map(numeric) as [number, number];
  const column = [rows, 1];
  const sums = g.emit('CumSum', [weights, g.ints([1])], weights.shape);
  const last = g.emit('Slice', [sums, g.ints([n - 1]), g.ints([n]), g.ints([1])], column);
  const highest = g.emit('Mul', [last, g.scalar(1 - 2 ** -22, last)], column);
  const low = g.emit('Max', [target, g.scalar(0, target)], column);
  const safe = g.emit('Min', [low, highest], column);
  const passed = g.emit('LessOrEqual', [sums, safe], weights.shape, { type: 'bool' });
  const ones = cast(g, passed, weights.type);
  // The sum before the chosen weight is the largest one passed; sums are never negative.
  const before = g.emit(
    'ReduceMax',
    [g.emit('Mul', [sums, ones], weights.shape), g.ints([1])],
    column,
  );
  return {
    index: cast(g, g.emit('ReduceSum', [ones, g.ints([1])], column), 'int32'),
    rest: g.emit('Sub', [safe, before], column),
  };
}

/** The divisor of `vocab` nearest its square root; `vocab` itself when only 1 would be left. */
export function blockSize(vocab: number): number {
  let best = vocab;
  const distance = (size: number): number => Math.abs(Math.log(size * size) - Math.log(vocab));
  for (let size = 2; size < vocab; size++) {
    if (vocab % size === 0 && distance(size) < distance(best)) best = size;
  }
  return best;
}

function softmaxRaw(g: Graph, x: Value): Value {
  return g.emit('Softmax', [x], x.shape, { attributes: { axis: -1 } });
}

function reshapeTo(g: Graph, x: Value, shape: number[]): Value {
  return g.emit('Reshape', [x, g.ints(shape)], shape);
}
