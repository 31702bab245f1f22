/**
 * `npm run bench:versions -- --other FOLDER`: this version beside another checkout of the repository,
 * by turns in one run: an optimizer step, and samples from BOS. For a change that must not be slower
 * or larger: `git worktree add FOLDER main`, then this. Fails (exit code 1) when the two do not
 * compute the same.
 *
 *   npm run bench:versions -- --other FOLDER [--shapes 15M,42M,110M] [--steps N] [--batches 8,32]
 *                             [--rounds 5] [--threads N]
 */
import { resolve } from 'node:path';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { createRandom } from '../src/random.js';
import { shapes } from './shapes.js';
import { alternate } from './support/alternate.js';
import { startOurs, type Ours } from './support/ours.js';
import { randomModel } from './support/places.js';
import { formatBytes, formatSpread } from './support/report.js';
import { relativeError, spreadOf, type Spread } from './support/statistics.js';

const { values: flags } = parseArgs({
  options: {
    other: { type: 'string' },
    shapes: { type: 'string', default: '15M,42M,110M' },
    steps: { type: 'string', default: '5' },
    batches: { type: 'string', default: '8,32' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const [threads, steps, rounds] = [flags.threads, flags.steps, flags.rounds].map(Number) as [
  number,
  number,
  number,
];
const [batch, time] = [16, 128];
const checkouts = [resolve(defined(flags.other, '--other FOLDER')), undefined];

/** Of losses; two versions that do the same differ by the order of sums at most. */
const tolerance = 1e-5;
let failed = false;

interface Measured {
  seconds: number[];
  /** Of them, those of the optimizer. */
  optimizer: number[];
  /** What has to agree. */
  results: number[];
  peakBytes: number;
}

async function measure(
  prepare: (ours: Ours) => Promise<void>,
  work: (
    ours: Ours,
    round: number,
  ) => Promise<{ seconds: number; optimizer?: number; results: number[] }>,
  times: number,
): Promise<Measured[]> {
  const sides = await Promise.all(checkouts.map((checkout) => startOurs(checkout)));
  const measured = sides.map((): Measured => ({
    seconds: [],
    optimizer: [],
    results: [],
    peakBytes: 0,
  }));
  for (const ours of sides) {
    await prepare(ours);
    await work(ours, -1);
  }
  await alternate(
    times,
    sides.map((ours, i) => async (round) => {
      const { seconds, optimizer, results } = await work(ours, round);
      measured[i]?.seconds.push(seconds);
      if (optimizer !== undefined) measured[i]?.optimizer.push(optimizer);
      measured[i]?.results.push(...results);
    }),
  );
  for (const [i, ours] of sides.entries()) {
    defined(measured[i], 'side').peakBytes = (await ours.request('memory', {})).peakBytes;
    await ours.stop();
  }
  return measured;
}

/** 0 for equal numbers, zero included. */
function deviation(a: number, b: number): number {
  return a === b ? 0 : relativeError(a, b);
}

function row(name: string, [before, after]: Measured[]): string[] {
  const sides = [defined(before, 'other'), defined(after, 'this')];
  const [was, is] = sides.map(({ seconds }) => spreadOf(seconds)) as [Spread, Spread];
  const worst = sides[0]?.results.reduce(
    (most, value, i) => Math.max(most, deviation(value, sides[1]?.results[i] ?? NaN)),
    0,
  );
  const same = worst !== undefined && worst <= tolerance;
  failed ||= !same;
  const [peakBefore, peakAfter] = sides.map(({ peakBytes }) => peakBytes) as [number, number];
  return [
    name,
    `${formatSpread(was, 3)} s`,
    `${formatSpread(is, 3)} s`,
    `${(is.median / was.median).toFixed(3)} ×`,
    formatBytes(peakBefore),
    formatBytes(peakAfter),
    `${(peakAfter / peakBefore).toFixed(3)} ×`,
    same ? 'same' : `DIFFERS by ${worst}`,
  ];
}

const table: string[][] = [];
for (const name of flags.shapes.split(',').filter(Boolean)) {
  const shape = defined(shapes[name as keyof typeof shapes], `shape ${name}`);
  const folder = randomModel(name, shape);
  const random = createRandom(1);
  const rows = Array.from({ length: batch }, () => ({
    ids: Array.from({ length: time }, () => random.below(shape.vocab_size)),
    supervised: Array.from({ length: time }, (_, i) => (i === 0 ? 0 : 1)),
  }));
  const measured = await measure(
    async (ours) => {
      await ours.request('trainer', {
        ...{ folder, threads, time, maxTokens: batch * time, decayVectors: true, clip: 1 },
        ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
      });
    },
    async (ours) => {
      const request = { rows, learningRate: 1e-3 };
      const { seconds, optimizer, loss } = await ours.request('step', request);
      return { seconds, optimizer, results: [loss] };
    },
    steps,
  );
  table.push(row(`step, ${name}`, measured));
  const optimizer = measured.map((side) => ({ ...side, seconds: side.optimizer }));
  table.push(row('  of it, the optimizer', optimizer));
}
for (const rowsAtOnce of flags.batches.split(',').filter(Boolean).map(Number)) {
  const folder = randomModel('15M', shapes['15M']);
  const measured = await measure(
    async (ours) => {
      const sampling = 'whole';
      await ours.request('decoder', {
        ...{ folder, threads, bos: 1, batch: rowsAtOnce, tokens: 128, sampling },
      });
    },
    async (ours, round) => {
      const { seconds, tokens } = await ours.request('generate', { seed: round + 1 });
      return { seconds, results: tokens.flat() };
    },
    rounds,
  );
  table.push(row(`128 tokens × ${rowsAtOnce} rows, 15M`, measured));
}
const head = ['what', 'other', 'this', 'ratio', 'other peak', 'this peak', 'ratio', 'results'];
console.log(formatTable([head, ...table]));
if (failed) process.exit(1);
