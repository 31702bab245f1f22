/**
 * Decoding graphs: several decode steps in one run, with the choice of the tokens inside, and the
 * prefill of prompts. The cache of past keys and values is only ever an input. The Node binding
 * copies every output on every run, so the graphs return the keys and values of this run alone and
 * JavaScript appends them (`decoderCache.ts`).
 *
 * Symbols in shapes: `slots` places in the cache, `fresh` keys of this run, `time` prompt tokens.
 */
import { defined } from '../errors.js';
import { cast, Graph, reshapeRaw, rotaryTables, times, type Value } from '../graph/index.js';
import { kernelsOf, type ProviderName } from '../runtime/index.js';
import type { Architecture, Attend, Rope } from './architecture.js';
import {
  cachedAttention,
  pastBias,
  type KeysAndValues,
  type Past,
  type Times,
} from './decoderAttention.js';
import { chooseToken, type Sampling } from './decoderSampling.js';
import { outputLogits } from './outputLayer.js';
import { positionLookup } from './positions.js';
import { createWeights, weightInputs, weightInputsForFewRows, type Weights } from './weights.js';

export interface DecoderShape {
  /** Rows decoded side by side. */
  batch: number;
  /** Positions that may occur, those beyond a row's end within a run included. */
  positions: number;
}

/**
 * Inputs: `tokens` int32 `[batch]` (the last token of each row, not yet in the cache), `positions`
 * int64 `[batch, 1]` of those tokens, `uniforms` `[steps, batch, 1]`, the past (`lengths`, `slots`,
 * `pastKeys0` …, `pastValues0` …) and the weights.
 * Outputs: `chosen` int32, `logprobs`, `entropies`, all `[steps, batch]`, and `keys0` …, `values0` …
 * `[batch, kvHeads, steps, headDim]` of the tokens that were fed: the last and all chosen but one.
 *
 * The steps are iterations of an ONNX `Loop`: unrolling them is no faster.
 */
export function decodeGraph(
  architecture: Architecture,
  provider: ProviderName,
  shape: DecoderShape,
  sampling: Sampling,
): Uint8Array {
  const { layers, kvHeads, headDim } = architecture;
  const { batch } = shape;
  const g = new Graph(kernelsOf(provider));
  const tablesOf = (rope: Rope) => rotaryTables(g, rope.inverseFrequencies, shape.positions);
  const past = declarePast(g, architecture, batch);
  const openBias = pastBias(g, past, past.lengths, Infinity);
  const uniforms = g.input('uniforms', 'float32', ['steps', batch, 1]);
  const slotCount = g.emit('Shape', [past.slots], [1], {
    type: 'int64',
    attributes: { start: 3, end: 4 },
  });

  const body = g.subgraph('step');
  const iteration = body.input('iteration', 'int64', []);
  const condition = body.input('condition', 'bool', []);
  const token = body.input('token', 'int32', [batch]);
  const position = body.input('position', 'int64', [batch, 1]);
  const earlier = Array.from({ length: layers }, (_, layer) =>
    declareKeysAndValues(body, architecture, batch, 'earlier', layer),
  );

  const fresh: KeysAndValues[] = [];
  const freshCount = body.emit('Add', [reshapeRaw(body, iteration, [1]), body.ints([1])], [1], {
    type: 'int64',
  });
  const stepTimes: Times = {
    queries: reshapeRaw(body, cast(body, iteration, 'float32'), [1, 1, 1, 1]),
    keys: () => countUp(body, freshCount),
    causal: false,
    parts: body.emit('Concat', [slotCount, freshCount], [2], {
      type: 'int64',
      attributes: { axis: 0 },
    }),
  };
  const attend = cachedAttention(body, architecture, {
    batch,
    time: 1,
    positions: position,
    tablesOf,
    past,
    times: stepTimes,
    openBias,
    join: (layer, added) => {
      const before = defined(earlier[layer], `layer ${layer}`);
      const joined = {
        keys: append(body, before.keys, added.keys),
        values: append(body, before.values, added.values),
      };
      fresh[layer] = joined;
      return joined;
    },
  });
  // The loop's body reads weights that are declared around it.
  const w = createWeights(body, weightInputsForFewRows(g));
  const x = runBlocks(body, architecture, w, attend, {
    tokens: token,
    positions: reshapeRaw(body, position, [batch]),
    length: shape.positions,
  });
  const logits = outputLogits(body, architecture.head(body, w, x));
  const uniform = body.emit('Gather', [uniforms, iteration], [batch, 1]);
  const choice = chooseToken(body, logits, uniform, sampling);
  const next = body.emit('Add', [position, body.ints([1])], [batch, 1], { type: 'int64' });

  body.output('condition_out', condition);
  // Values that the body makes anyway need no Identity node of their own.
  body.outputs.push(choice.token, next);
  body.outputs.push(...fresh.flatMap(({ keys, values }) => [keys, values]));
  body.output('chosen_out', choice.token);
  body.outputs.push(choice.logprob, choice.entropy);

  const none = g.initializer('none', new Float32Array(0), [batch, kvHeads, 0, headDim]);
  const steps = g.emit('Shape', [uniforms], [1], {
    type: 'int64',
    attributes: { start: 0, end: 1 },
  });
  const grown = { type: 'float32' as const, shape: [batch, kvHeads, 'steps', headDim] };
  const perStep = { type: 'float32' as const, shape: ['steps', batch] };
  const results = g.node(
    'Loop',
    [
      reshapeRaw(g, steps, []),
      undefined,
      g.input('tokens', 'int32', [batch]),
      g.input('positions', 'int64', [batch, 1]),
      ...Array.from({ length: 2 * layers }, () => none),
    ],
    [
      { type: 'int32', shape: [batch] },
      { type: 'int64', shape: [batch, 1] },
      ...Array.from({ length: 2 * layers }, () => grown),
      { ...perStep, type: 'int32' },
      perStep,
      perStep,
    ],
    { attributes: { body: { graph: body } } },
  );
  const result = (index: number): Value => defined(results[index], `loop output ${index}`);
  for (let layer = 0; layer < layers; layer++) {
    g.output(`keys${layer}`, result(2 + 2 * layer));
    g.output(`values${layer}`, result(3 + 2 * layer));
  }
  ['chosen', 'logprobs', 'entropies'].forEach((name, i) => {
    g.output(name, result(2 + 2 * layers + i));
  });
  return g.encode('decode');
}

/**
 * Inputs: `tokens` int32 `[batch·time]`, `positions` int64 `[batch, time]`, `queryTimes`
 * `[1, 1, group·time, 1]` (0 … time − 1 for each of the query heads that share a key head),
 * `keyTimes` `[1, 1, 1, time]`, the past and the weights.
 * Outputs: `keys0` …, `values0` … `[batch, kvHeads, time, headDim]`.
 */
export function prefillGraph(
  architecture: Architecture,
  provider: ProviderName,
  { batch, positions }: DecoderShape,
): Uint8Array {
  const group = architecture.heads / architecture.kvHeads;
  const g = new Graph(kernelsOf(provider));
  const past = declarePast(g, architecture, batch);
  const keyTimes = g.input('keyTimes', 'float32', [1, 1, 1, 'time']);
  const queryTimes = g.input('queryTimes', 'float32', [1, 1, times('time', group), 1]);
  const sizeOf = (value: Value): Value =>
    g.emit('Shape', [value], [1], { type: 'int64', attributes: { start: 3, end: 4 } });
  const parts = g.emit('Concat', [sizeOf(past.slots), sizeOf(keyTimes)], [2], {
    type: 'int64',
    attributes: { axis: 0 },
  });
  const fresh: KeysAndValues[] = [];
  const places = g.input('positions', 'int64', [batch, 'time']);
  const attend = cachedAttention(g, architecture, {
    batch,
    time: 'time',
    positions: places,
    tablesOf: (rope) => rotaryTables(g, rope.inverseFrequencies, positions),
    past,
    times: { queries: queryTimes, keys: () => keyTimes, causal: true, parts },
    openBias: pastBias(g, past, past.lengths, Infinity),
    join: (layer, added) => (fresh[layer] = added),
  });
  const count = times('time', batch);
  runBlocks(g, architecture, createWeights(g, weightInputs(g)), attend, {
    tokens: g.input('tokens', 'int32', [count]),
    positions: reshapeRaw(g, places, [count]),
    length: positions,
  });
  fresh.forEach(({ keys, values }, layer) => {
    g.output(`keys${layer}`, keys);
    g.output(`values${layer}`, values);
  });
  return g.encode('prefill');
}

/** int32 `tokens` and int64 `positions` below `length`, both `[tokens]`, through all blocks. */
function runBlocks(
  g: Graph,
  architecture: Architecture,
  w: Weights,
  attend: Attend,
  { tokens, positions, length }: { tokens: Value; positions: Value; length: number },
): Value {
  let x = architecture.embed(g, w, {
    tokens: { ids: tokens, unique: tokens },
    positions: () => positionLookup(g, positions, length),
  });
  for (let layer = 0; layer < architecture.layers; layer++) {
    x = architecture.block(g, w, layer, x, attend);
  }
  return x;
}

function declarePast(g: Graph, architecture: Architecture, batch: number): Past {
  return {
    layers: Array.from({ length: architecture.layers }, (_, layer) =>
      declareKeysAndValues(g, architecture, batch, 'past', layer),
    ),
    lengths: g.input('lengths', 'float32', [batch, 1, 1, 1]),
    slots: g.input('slots', 'float32', [1, 1, 1, 'slots']),
  };
}

function declareKeysAndValues(
  g: Graph,
  { kvHeads, headDim }: Architecture,
  batch: number,
  kind: 'past' | 'earlier',
  layer: number,
): KeysAndValues {
  const shape = [batch, kvHeads, kind === 'past' ? 'slots' : 'earlier', headDim];
  return {
    keys: g.input(`${kind}Keys${layer}`, 'float32', shape),
    values: g.input(`${kind}Values${layer}`, 'float32', shape),
  };
}

function append(g: Graph, before: Value, added: Value): Value {
  const shape = before.shape.map((dim, axis) => (axis === 2 ? 'fresh' : dim));
  return g.emit('Concat', [before, added], shape, { attributes: { axis: 2 } });
}

/** 0, 1, 2, … as float32 `[1, 1, 1, fresh]`; `count` is int64 `[1]`. */
function countUp(g: Graph, count: Value): Value {
  const zero = reshapeRaw(g, g.ints([0]), []);
  const one = reshapeRaw(g, g.ints([1]), []);
  const range = g.emit('Range', [zero, reshapeRaw(g, count, []), one], ['fresh'], {
    type: 'int64',
  });
  return reshapeRaw(g, cast(g, range, 'float32'), [1, 1, 1, 'fresh']);
}
