/**
 * Attention over the cache: queries of the tokens of a run see the keys of the cache and those of the
 * run itself, under one softmax.
 *
 * Symbols in shapes: `slots` places in the cache, `fresh` keys of this run, `time` prompt tokens.
 */
import { defined } from '../errors.js';
import {
  cast,
  hiddenScore,
  matmul,
  reshapeRaw,
  rotary,
  softcap,
  times,
  transposeRaw,
  type Dim,
  type Graph,
  type RotaryTables,
  type Value,
} from '../graph/index.js';
import type { Architecture, Attend, Rope } from './architecture.js';

/** Keys and values of one layer, both `[batch, kvHeads, n, headDim]`. */
export interface KeysAndValues {
  keys: Value;
  values: Value;
}

/** What the decoding graphs are told about the cache. */
export interface Past {
  /** By layer, with n = `slots`. */
  layers: KeysAndValues[];
  /** Tokens of each row that are in the cache. `[batch, 1, 1, 1]` */
  lengths: Value;
  /** 0, 1, 2, …: the position of the token in each slot. `[1, 1, 1, slots]` */
  slots: Value;
}

/** Where the queries of a run stand among its keys; counted from the run's first token. */
export interface Times {
  /** `[1, 1, queries or 1, 1]` */
  queries: Value;
  /** `[1, 1, 1, fresh]`; called only where a mask needs them. */
  keys: () => Value;
  /** Whether some keys of the run come after some queries. */
  causal: boolean;
  /** `[slots, fresh]` as int64 `[2]` */
  parts: Value;
}

/** What attention needs to know of the run that it stands in. */
export interface CachedAttention {
  batch: number;
  /** New tokens of each row: 1, or the symbol `time`. */
  time: Dim;
  /** int64 `[batch, time]` */
  positions: Value;
  tablesOf: (rope: Rope) => RotaryTables;
  past: Past;
  times: Times;
  /** The mask of the past for layers without a window. `[batch, 1, 1, slots]` */
  openBias: Value;
  /** Adds a layer's new keys and values to those of this run and returns them all. */
  join: (layer: number, added: KeysAndValues) => KeysAndValues;
}

/** Attention over the cache and over the keys of this run, under one softmax. */
export function cachedAttention(
  g: Graph,
  architecture: Architecture,
  about: CachedAttention,
): Attend {
  const { heads, kvHeads, headDim } = architecture;
  const { batch, time, past, times: at } = about;
  const group = heads / kvHeads;
  const queries = times(time, group);
  const biases = new Map<number, { past: Value; fresh: Value | undefined }>();
  const biasOf = (window: number) => {
    const known = biases.get(window);
    if (known) return known;
    const places = g.emit('Add', [past.lengths, at.queries], [batch, 1, queries, 1]);
    const made = {
      past: window === Infinity ? about.openBias : pastBias(g, past, places, window),
      fresh: freshBias(g, at, window, queries),
    };
    biases.set(window, made);
    return made;
  };
  const rotate = (x: Value, count: number, rope: Rope | undefined): Value => {
    const lines = reshapeRaw(g, x, [batch, time, count * headDim]);
    return rope ? rotary(g, lines, about.positions, about.tablesOf(rope), count) : lines;
  };
  const toKeyHeads = (x: Value): Value => {
    if (time === 1) return reshapeRaw(g, x, [batch, kvHeads, 1, headDim]);
    return transposeRaw(g, reshapeRaw(g, x, [batch, time, kvHeads, headDim]), [0, 2, 1, 3]);
  };
  // Query heads that share a key head stand below each other: `[batch, kvHeads, group·time, headDim]`.
  const toQueryHeads = (x: Value): Value => {
    const target = [batch, kvHeads, queries, headDim];
    if (time === 1) return reshapeRaw(g, x, target);
    const apart = reshapeRaw(g, x, [batch, time, kvHeads, group, headDim]);
    return reshapeRaw(g, transposeRaw(g, apart, [0, 2, 3, 1, 4]), target);
  };
  const fromQueryHeads = (x: Value, shape: readonly Dim[]): Value => {
    if (time === 1) return reshapeRaw(g, x, shape);
    const apart = reshapeRaw(g, x, [batch, kvHeads, group, time, headDim]);
    return reshapeRaw(g, transposeRaw(g, apart, [0, 3, 1, 2, 4]), shape);
  };

  return (layer, q, k, v) => {
    const { window, scale, softcap: cap, rope } = architecture.attention(layer);
    const bias = biasOf(window);
    const old = defined(past.layers[layer], `layer ${layer}`);
    const fresh = about.join(layer, {
      keys: toKeyHeads(rotate(k, kvHeads, rope)),
      values: toKeyHeads(v),
    });
    // Scaled here and not in the product: only a plain product of one row has a fast kernel.
    const rotated = rotate(q, heads, rope);
    const query = toQueryHeads(g.emit('Mul', [rotated, g.scalar(scale, rotated)], rotated.shape));
    const scored = (keys: Value): Value => {
      const products = matmul(g, query, keys, { transB: true });
      return cap === undefined ? products : softcap(g, products, cap);
    };
    const [oldScores, freshScores] = [scored(old.keys), scored(fresh.keys)];
    const scores = g.emit(
      'Concat',
      [
        g.emit('Add', [oldScores, bias.past], oldScores.shape),
        bias.fresh ? g.emit('Add', [freshScores, bias.fresh], freshScores.shape) : freshScores,
      ],
      [batch, kvHeads, queries, 'all'],
      { attributes: { axis: 3 } },
    );
    const weights = g.emit('Softmax', [scores], scores.shape, { attributes: { axis: -1 } });
    const [oldWeights, freshWeights] = g.node(
      'Split',
      [weights, at.parts],
      [{ shape: oldScores.shape }, { shape: freshScores.shape }],
      { attributes: { axis: 3 } },
    ) as [Value, Value];
    const fromOld = matmul(g, oldWeights, old.values);
    const fromFresh = matmul(g, freshWeights, fresh.values);
    return fromQueryHeads(g.emit('Add', [fromOld, fromFresh], query.shape), q.shape);
  };
}

/**
 * 0 for the slots a query may see, far below any score for the others: those beyond the row's
 * length, and those a `window` or more behind the query. `places` are the queries' positions.
 */
export function pastBias(g: Graph, past: Past, places: Value, window: number): Value {
  const [batch, , queries] = places.shape;
  const shape = [batch as Dim, 1, queries as Dim, 'slots'];
  const empty = g.emit(
    'GreaterOrEqual',
    [past.slots, past.lengths],
    [batch as Dim, 1, 1, 'slots'],
    { type: 'bool' },
  );
  if (window === Infinity) return hide(g, empty);
  const edge = g.emit('Sub', [places, g.scalar(window, places)], places.shape);
  const far = g.emit('LessOrEqual', [past.slots, edge], shape, { type: 'bool' });
  return hide(g, g.emit('Or', [empty, far], shape, { type: 'bool' }));
}

/** The same for the keys of this run: those after the query, and those a window behind it. */
function freshBias(g: Graph, at: Times, window: number, queries: Dim): Value | undefined {
  if (!at.causal && window === Infinity) return undefined;
  const keys = at.keys();
  const shape = [1, 1, queries, keys.shape[3] as Dim];
  const later = g.emit('Greater', [keys, at.queries], shape, { type: 'bool' });
  if (window === Infinity) return hide(g, later);
  const edge = g.emit('Sub', [at.queries, g.scalar(window, at.queries)], at.queries.shape);
  const far = g.emit('LessOrEqual', [keys, edge], shape, { type: 'bool' });
  return hide(g, g.emit('Or', [later, far], shape, { type: 'bool' }));
}

function hide(g: Graph, where: Value): Value {
  const flags = cast(g, where, 'float32');
  return g.emit('Mul', [flags, g.scalar(hiddenScore('float32'), flags)], where.shape);
}
