/**
 * `npm run bench:packing`: which layout of a step's rows trains faster: packed (rows share lines) or
 * padded (one row a line, in buckets of like length). Same rows, same weights, gradients only: the
 * optimizer's time does not depend on the layout. The loser is to leave `src/`.
 *
 *   npm run bench:packing -- [--steps 6] [--rounds 3] [--rows 16] [--multiple 32]
 *                            [--model FOLDER] [--threads N] [--write]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { createMixer, sourceOf } from '../src/mixer/mixer.js';
import type { RowStore } from '../src/mixer/rowStore.js';
import { folderArchitecture } from '../src/model/families/index.js';
import type { Batch, TokenRow } from '../src/model/batch.js';
import { openModelFolder } from '../src/model/folder.js';
import { splitIntoBatches } from '../src/model/packing.js';
import { padRows } from './support/padRows.js';
import { gradientName, trainFeeds, trainGraph } from '../src/model/trainGraph.js';
import { chunkTargets } from '../src/model/trunk.js';
import { floats, heldFeeds, kernelsOf, openDevice, type Session } from '../src/runtime/index.js';
import { createStore } from '../src/trainer/store.js';
import { planStore } from '../src/trainer/storePlan.js';
import { alternate } from './support/alternate.js';
import { e2eRows, storyRows, tokenizeOptions } from './support/data.js';
import { missing, places } from './support/places.js';
import { formatSpread, machineFacts, writeResult } from './support/report.js';
import { rateOf, relativeError, type Spread } from './support/statistics.js';

const { values: flags } = parseArgs({
  options: {
    steps: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '16' },
    multiple: { type: 'string', default: '32' },
    model: { type: 'string', default: places.stories15M },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [steps, rounds, batchRows] = [flags.steps, flags.rounds, flags.rows].map(Number) as [
  number,
  number,
  number,
];
const [multiple, threads] = [Number(flags.multiple), Number(flags.threads)];
const seed = 1;

/** As in a run (`maxTokensPerMicroBatch`). */
const maxTokens = 2048;

/** As `createGradientComputer` chooses it: at most 64 MiB of logits at a time. */
const logitBytes = 64 * 2 ** 20;

/** Both layouts sum the same token losses, in float32 and in another order. */
const lossTolerance = 1e-5;

/** Shares of a step's rows that are as long as context-free samples. */
const longShares = [0, 0.1, 0.5];

const skipped = missing(flags.model, places.e2e, places.tinyStories);
if (skipped) {
  console.log(`bench:packing: skipped: ${skipped.skipped}`);
  process.exit(0);
}

const folder = openModelFolder(flags.model);
const architecture = folderArchitecture(folder);
const device = await openDevice({ name: 'cpu', threads });
const plan = planStore(architecture.parameters, [], 'cpu');
const store = await createStore(device, plan, folder.tensors.readInto);
const chunks = Math.max(1, Math.ceil((maxTokens * architecture.vocabSize * 4) / logitBytes));
const gradients = Object.fromEntries(
  [...store.gradients].map(([name, held]) => [gradientName(name), held]),
);

const sessions = new Map<string, Session>();

/** One session for each line length, and for the first and the later batches of a step. */
async function sessionFor(time: number, accumulate: boolean): Promise<Session> {
  const key = `${time} ${accumulate}`;
  const known = sessions.get(key);
  if (known) return known;
  const model = trainGraph(architecture, { kernels: kernelsOf('cpu'), time, chunks, accumulate });
  const session = await device.session(model.encode('train'), Object.keys(gradients));
  sessions.set(key, session);
  return session;
}

interface Timing {
  seconds: number;
  /** Σ −log p over the targets. */
  loss: number;
  /** Places in the lines, padding included. */
  places: number;
}

/** Lays a step's rows out and computes the gradients of their mean loss. */
async function computeGradients(layOut: () => Batch[]): Promise<Timing> {
  const start = performance.now();
  const batches = layOut();
  const targets = batches.reduce((sum, batch) => sum + batch.targetIds.length, 0);
  let loss = 0;
  for (const [index, batch] of batches.entries()) {
    const session = await sessionFor(batch.time, index > 0);
    const weights = new Float32Array(batch.targetIds.length).fill(1 / targets);
    const feeds = {
      ...heldFeeds(store.weights),
      ...(index > 0 ? heldFeeds(store.gradients, 'sum.') : {}),
      ...trainFeeds(batch, weights, chunks),
    };
    const outputs = await session.run(feeds, gradients);
    chunkTargets(batch, chunks).forEach(({ from, to }, i) => {
      const nll = floats(outputs[`nll${i}`]).subarray(0, to - from);
      loss = nll.reduce((sum, value) => sum + value, loss);
    });
  }
  const places = batches.reduce((sum, batch) => sum + batch.batch * batch.time, 0);
  return { seconds: (performance.now() - start) / 1000, loss, places };
}

const layouts = {
  // Lines as long as the longest row of the data, as in a run.
  packed: (rows: readonly TokenRow[], time: number) =>
    splitIntoBatches(rows, { maxTime: time, multiple: time, maxTokens }),
  padded: (rows: readonly TokenRow[], time: number) =>
    padRows(rows, { maxTime: time, multiple, maxTokens }),
};
type LayoutName = keyof typeof layouts;
const names = Object.keys(layouts) as LayoutName[];

interface Outcome {
  longShare: number;
  /** Tokens of the rows per second, padding not counted. */
  rates: Record<LayoutName, Spread>;
  /** Share of the places that hold no token. */
  padding: Record<LayoutName, number>;
  /** Packed over padded. */
  ratio: number;
}

async function measureMix(dataset: RowStore, long: RowStore, longShare: number): Promise<Outcome> {
  const sources = [
    sourceOf('dataset', dataset),
    ...(longShare > 0 ? [sourceOf('context-free', long, longShare)] : []),
  ];
  const mixer = createMixer({ sources, mode: 'per-batch', batchRows, seed });
  const batches = Array.from({ length: steps }, () => defined(mixer.next(), 'step').rows);
  const tokens = batches.flat().reduce((sum, { ids }) => sum + ids.length, 0);
  const longest = Math.max(...sources.map(({ rows }) => rows.longest));
  const time = Math.min(Math.ceil(longest / 16) * 16, architecture.contextLength);

  const seconds: Record<LayoutName, number[]> = { packed: [], padded: [] };
  const placesOf: Record<LayoutName, number> = { packed: 0, padded: 0 };
  const epoch = async (name: LayoutName): Promise<Timing[]> => {
    const timings: Timing[] = [];
    for (const rows of batches) {
      timings.push(await computeGradients(() => layouts[name](rows, time)));
    }
    return timings;
  };
  // The first time makes the sessions.
  const losses: Record<LayoutName, number[]> = { packed: [], padded: [] };
  for (const name of names) losses[name] = (await epoch(name)).map(({ loss }) => loss);
  losses.packed.forEach((loss, i) => {
    const error = relativeError(loss, losses.padded[i] ?? NaN);
    if (error > lossTolerance) throw new Error(`the layouts' losses differ by ${error}`);
  });
  await alternate(
    rounds,
    names.map((name) => async () => {
      const timings = await epoch(name);
      seconds[name].push(timings.reduce((sum, timing) => sum + timing.seconds, 0));
      placesOf[name] = timings.reduce((sum, timing) => sum + timing.places, 0);
    }),
  );
  for (const session of sessions.values()) await session.release();
  sessions.clear();
  const rates = {
    packed: rateOf(tokens, seconds.packed),
    padded: rateOf(tokens, seconds.padded),
  };
  return {
    longShare,
    rates,
    padding: {
      packed: 1 - tokens / placesOf.packed,
      padded: 1 - tokens / placesOf.padded,
    },
    ratio: rates.packed.median / rates.padded.median,
  };
}

const tokenize = tokenizeOptions(flags.model);
const dataset = await e2eRows(tokenize);
const long = storyRows(tokenize, 200, seed);
console.log(
  `${steps} steps of ${batchRows} rows; E2E rows have ` +
    `${(dataset.tokens / dataset.count).toFixed(0)} tokens on average, long rows ` +
    `${(long.tokens / long.count).toFixed(0)}; ${threads} threads`,
);
const outcomes: Outcome[] = [];
for (const share of longShares) outcomes.push(await measureMix(dataset, long, share));

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const rows = [
  ['long rows', 'packed, tokens/s', 'padding', 'padded, tokens/s', 'padding', 'packed over padded'],
  ...outcomes.map(({ longShare, rates, padding, ratio }) => [
    percent(longShare),
    formatSpread(rates.packed),
    percent(padding.packed),
    formatSpread(rates.padded),
    percent(padding.padded),
    `${ratio.toFixed(2)} ×`,
  ]),
];
console.log(formatTable(rows, [0, 1, 2, 3, 4, 5]));
if (flags.write) {
  await writeResult('packing', {
    title: 'Packed lines beside padded ones',
    facts: machineFacts({}),
    rows,
    notes: [
      `${steps} steps of ${batchRows} rows: E2E NLG, and TinyStories as long rows; padded widths are ` +
        `multiples of ${multiple}. Tokens of the rows, padding not counted; medians ` +
        `(slowest–fastest) of ${rounds} rounds by turns.`,
    ],
    numbers: { steps, batchRows, multiple, threads, outcomes },
  });
}
process.exit(0);
