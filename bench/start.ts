/**
 * `npm run bench:start`: how long it takes, and how much memory, from a command to the first sample,
 * the first score and the first training step. Each is a process of its own, started afresh, ours as
 * CFS Studio starts it and transformers' with every allocator, of which the fastest counts, by turns.
 * Fails (exit code 1) when scores or losses of the two differ: then they do not do the same work.
 *
 *   npm run bench:start -- [--shapes 15M,110M,350M,1.1B] [--works sample,score,step] [--rounds 1]
 *                          [--samples 1] [--tokens 64] [--rows 4] [--time 128] [--threads N] [--write]
 */
import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { availableMemory } from '../src/engine/estimate/machine.js';
import { createRandom } from '../src/random.js';
import { isSkipped, type Skipped } from './peers/lineProcess.js';
import { findPython } from './peers/python.js';
import { torchStart } from './peers/torchStart.js';
import { parameterCount, shapeNames, shapes, type ShapeName } from './shapes.js';
import { allocatorNames, allocators, type Allocator } from './support/allocators.js';
import { alternate } from './support/alternate.js';
import { runFresh, type FreshRun } from './support/fresh.js';
import { bundleOurs } from './support/ours.js';
import { copyTokenizer, knownModel, missing, places } from './support/places.js';
import { formatBytes, machineFacts, writeResult } from './support/report.js';
import { works, type StartRequest, type Work } from './support/startRequest.js';
import { relativeError, spreadOf } from './support/statistics.js';

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: '15M,110M,350M,1.1B' },
    works: { type: 'string', default: works.join(',') },
    rounds: { type: 'string', default: '1' },
    samples: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '64' },
    rows: { type: 'string', default: '4' },
    time: { type: 'string', default: '128' },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [rounds, samples, tokens, rowCount, time, threads] = [
  Number(flags.rounds),
  Number(flags.samples),
  Number(flags.tokens),
  Number(flags.rows),
  Number(flags.time),
  Number(flags.threads),
];
const wantedWorks = works.filter((work) => flags.works.split(',').includes(work));

/** Of scores and losses, relative: both sum in float32, each in its own order. */
const tolerance = 1e-4;

/** Memory that is wanted before training: the weights as float32 once, a fifth of it, and 250 MB. */
function wantedBytes(shape: ShapeName): number {
  return 1.2 * 4 * parameterCount(shapes[shape]) + 250e6;
}

/** Whether weights, gradients and moments fit, with a fifth for what a step computes, and 1 GB. */
function trainingFits(shape: ShapeName): boolean {
  return 1.2 * 16 * parameterCount(shapes[shape]) + 1e9 < availableMemory();
}

interface Outcome {
  shape: ShapeName;
  work: Work;
  ours: FreshRun[];
  /** None where Python or its packages are missing. */
  theirs: { allocator: Allocator; runs: FreshRun[] }[];
}

/** One work of one model, by turns. */
async function measure(shape: ShapeName, work: Work, trains: boolean): Promise<Outcome> {
  const folder = knownModel(shape);
  copyTokenizer(folder);
  await readOnce(join(folder, 'model.safetensors'));
  const random = createRandom(1);
  const line = (): number[] => Array.from({ length: time }, () => random.below(32000));
  const rows = Array.from({ length: rowCount }, line);
  const request: StartRequest = { folder, threads, work, trains, samples, tokens, rows };
  const ours: FreshRun[] = [];
  const theirs = (isSkipped(python) ? [] : allocatorNames).map((allocator) => ({
    allocator,
    runs: [] as FreshRun[],
  }));
  await alternate(rounds, [
    async () => void ours.push(await startOurs(request)),
    ...theirs.map(({ allocator, runs }) => async () => {
      if (isSkipped(python)) return;
      runs.push(await torchStart(python, request, allocators[allocator]));
    }),
  ]);
  return { shape, work, ours, theirs };
}

function startOurs(request: StartRequest): Promise<FreshRun> {
  const command = [process.execPath, starter, JSON.stringify(request)] as const;
  return runFresh('CFS Studio', [...command], allocators.kept);
}

/** So that the first to read the file does not wait for the disk more than the others. */
async function readOnce(file: string): Promise<void> {
  await finished(createReadStream(file, { highWaterMark: 16 << 20 }).resume());
}

/** Medians of one side. */
function figuresOf(runs: readonly FreshRun[]) {
  const median = (of: (run: FreshRun) => number): number => spreadOf(runs.map(of)).median;
  return {
    seconds: median(({ done }) => done.seconds),
    loadedSeconds: median(({ loaded }) => loaded.seconds),
    peakBytes: median(({ done }) => done.peakBytes),
    loadedBytes: median(({ loaded }) => loaded.peakBytes),
    faults: median(({ done }) => done.minorFaults + done.majorFaults),
    processorSeconds: median(({ done }) => done.userSeconds + done.systemSeconds),
    cacheBytes: median(({ done }) => done.cacheBytes ?? 0),
  };
}

/** Bytes of ours before any training, the decoder's keys and values not counted. */
function beforeTraining({ work, ours }: Outcome): number {
  const { peakBytes, loadedBytes, cacheBytes } = figuresOf(ours);
  return work === 'step' ? loadedBytes : peakBytes - cacheBytes;
}

/** Largest relative difference of what both computed. */
function errorOf({ ours, theirs }: Outcome): number {
  const ourResult = ours[0]?.done.result;
  const errors = theirs.flatMap(({ runs }) =>
    runs.map(({ done: { result } }) =>
      ourResult === undefined || result === undefined ? 0 : relativeError(ourResult, result),
    ),
  );
  return Math.max(0, ...errors);
}

/** The allocator with which transformers was fastest, and its figures. */
function fastest({ theirs }: Outcome) {
  const all = theirs.map(({ allocator, runs }) => ({ allocator, ...figuresOf(runs) }));
  return all.sort((a, b) => a.seconds - b.seconds)[0];
}

function rowOf(outcome: Outcome): string[] {
  const { shape, work } = outcome;
  const our = figuresOf(outcome.ours);
  const their = fastest(outcome);
  const none = '–';
  const seconds = (value: number): string => value.toFixed(1);
  const times = (ratio: number): string => `${ratio.toFixed(2)} ×`;
  const thousands = (count: number): string => (count / 1000).toFixed(0);
  return [
    `${shape}, ${work}`,
    seconds(our.seconds),
    their ? seconds(their.seconds) : none,
    their?.allocator ?? none,
    their ? times(their.seconds / our.seconds) : none,
    seconds(our.loadedSeconds),
    their ? seconds(their.loadedSeconds) : none,
    formatBytes(our.peakBytes),
    their ? formatBytes(their.peakBytes) : none,
    work === 'sample' ? `${(our.cacheBytes / 1e6).toFixed(1)} MB` : none,
    times(beforeTraining(outcome) / wantedBytes(shape)),
    thousands(our.faults),
    their ? thousands(their.faults) : none,
    seconds(our.processorSeconds),
    their ? seconds(their.processorSeconds) : none,
  ];
}

const head = [
  'first',
  'ours, s',
  'transformers, s',
  'its allocator',
  'theirs over ours',
  'weights read, s',
  'of transformers',
  'peak memory',
  'of transformers',
  'keys and values',
  'before training, of what is wanted',
  'page faults, thousands',
  'of transformers',
  'processor, s',
  'of transformers',
];

const absent = missing(places.stories15M);
if (absent) {
  console.log(`bench:start: skipped: ${absent.skipped}`);
  process.exit();
}
const python = findPython(['torch', 'transformers']);
if (isSkipped(python)) console.log(`transformers: skipped: ${python.skipped}`);
const starter = await bundleOurs('starter');
const skipped: (Skipped & { what: string })[] = [];
const outcomes: Outcome[] = [];
let disagreements = 0;
let warm = false;
for (const shape of shapeNames(flags.shapes)) {
  const fits = trainingFits(shape);
  for (const work of wantedWorks) {
    const what = `${shape}, ${work}`;
    if (work === 'step' && !fits) {
      const gigabytes = (availableMemory() / 1e9).toFixed(1);
      skipped.push({
        what,
        skipped: `training does not fit into the ${gigabytes} GB that are free`,
      });
      console.log(`${what}: skipped: ${skipped.at(-1)?.skipped}`);
      continue;
    }
    // The first reads the programs of both from the disk; it is not counted.
    if (!warm) await measure(shape, work, fits);
    warm = true;
    const outcome = await measure(shape, work, fits);
    outcomes.push(outcome);
    console.log(rowOf(outcome).join(' | '));
    const error = errorOf(outcome);
    if (error <= tolerance) continue;
    disagreements++;
    console.error(`FAIL: ${what} differs from transformers' by ${error.toExponential(1)}`);
  }
}

const rows = [head, ...outcomes.map(rowOf)];
console.log(
  formatTable(
    rows,
    [...head.keys()].filter((column) => column !== 0 && column !== 3),
  ),
);
if (flags.write) {
  await writeResult('start', {
    title: 'From the command to the first sample, score and step',
    facts: machineFacts(isSkipped(python) ? { transformers: python.skipped } : python.versions),
    rows,
    notes: [
      `Every figure is of a process started for it, ${threads} threads, the model's file in the system's ` +
        `cache; medians of ${rounds}. A sample: ${samples} of ${tokens} tokens from BOS; a score: ` +
        `${rowCount} rows of ${time} tokens; a step: AdamW on these rows, from float32 weights. The 1.1B ` +
        'model lies on the disk in BF16.',
      '“Before training, of what is wanted”: the peak of our process before the first step, without ' +
        "the decoder's keys and values, over 1.2 float32 copies of the weights and 250 MB; at most 1 is wanted. " +
        'Where training fits, our process has room for gradients and moments, as in a run.',
      'Ours runs with the allocator that CFS Studio chooses (“kept”: freed memory is kept). transformers ' +
        'is taken with the fastest of three: that one, “plain” (glibc as it is) and “huge pages” ' +
        '(GLIBC_TUNABLES=glibc.malloc.hugetlb=1). Page faults for both are those of these runs.',
      ...skipped.map((one) => `Skipped: ${one.what}: ${one.skipped}.`),
    ],
    numbers: { samples, tokens, rows: rowCount, time, threads, skipped, outcomes },
  });
}
process.exit(disagreements > 0 ? 1 : 0);
