/**
 * `npm run bench:runs -- --against FOLDER`: a whole run of this version beside the same run of another
 * checkout, by turns, from the terminal's command to its end: samples, a few steps, base and final
 * scores, the saved model. `git worktree add FOLDER REVISION` makes the other checkout; it needs its
 * packages (a link to this `node_modules` will do). Without `--against`, this version alone.
 *
 *   npm run bench:runs -- [--against FOLDER] [--shapes 15M,110M,350M] [--samples 8] [--steps 4]
 *                         [--rounds 1] [--threads N] [--write]
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { z } from 'zod';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { makeFolder } from '../src/files.js';
import { shapeNames, type ShapeName } from './shapes.js';
import { allocators } from './support/allocators.js';
import { alternate } from './support/alternate.js';
import { cacheFolder, copyTokenizer, knownModel, missing, places, root } from './support/places.js';
import { formatBytes, machineFacts, writeResult } from './support/report.js';
import { spreadOf } from './support/statistics.js';
import { measureNode, type CommandUsage } from './support/usage.js';

const { values: flags } = parseArgs({
  options: {
    against: { type: 'string' },
    shapes: { type: 'string', default: '15M,110M,350M' },
    samples: { type: 'string', default: '8' },
    steps: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [samples, steps, rounds] = [Number(flags.samples), Number(flags.steps), Number(flags.rounds)];

/** One run of one version. */
interface Run extends CommandUsage {
  /** Seconds from the command to the first event of each of these types. */
  first: Partial<Record<'sample_progress' | 'train_step', number>>;
  /** Mean loss of each step, nats. */
  losses: number[];
}

interface Side {
  name: 'other' | 'this';
  /** The file of its command. */
  cli: string;
  revision: string;
}

interface Outcome {
  shape: ShapeName;
  runs: { side: Side['name']; run: Run }[];
}

/** The bundles of a checkout, made by its own script where they find the packages of this one. */
function build(name: Side['name'], checkout: string): Side {
  const target = join(cacheFolder, `dist-${name}`);
  const script = join(checkout, 'scripts', 'build.mjs');
  execFileSync(process.execPath, [script, target], { cwd: checkout, stdio: 'inherit' });
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', checkout, ...args], { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', 'src') === '' ? '' : ', changed since';
  return {
    name,
    cli: join(target, 'cli.js'),
    revision: git('rev-parse', '--short', 'HEAD') + changed,
  };
}

/** Writes the file of a run: only settings that earlier versions have too. */
function writeConfig(shape: ShapeName, workspace: string): string {
  const model = knownModel(shape);
  copyTokenizer(model);
  const file = join(workspace, 'run.yaml');
  const config = {
    name: `bench ${shape}`,
    model,
    dataset: { path: places.e2e, columns: { prompt: 'mr', response: 'ref' } },
    provider: 'cpu',
    threads: Number(flags.threads),
    generation: { count: samples, maxLength: 128, stopAtEos: false },
    training: { steps, batchRows: 16, maxLength: 128, checkpointEvery: 1000 },
    evaluation: { klSamples: samples, every: 0 },
  };
  writeFileSync(file, stringify(config));
  return file;
}

const eventSchema = z.looseObject({ type: z.string(), loss: z.number().nullish() });

async function measure({ name, cli }: Side, shape: ShapeName): Promise<Run> {
  const workspace = join(cacheFolder, `runs-${name}`);
  rmSync(workspace, { recursive: true, force: true });
  makeFolder(workspace);
  try {
    const file = writeConfig(shape, workspace);
    const first: Run['first'] = {};
    const losses: number[] = [];
    const command = [cli, 'run', file, '--workspace', workspace, '--json'];
    // As a user starts it: what a version sets for itself counts as its own.
    const usage = await measureNode(command, allocators.plain, (line, seconds) => {
      const { type, loss } = eventSchema.parse(JSON.parse(line));
      if (type === 'sample_progress' || type === 'train_step') first[type] ??= seconds;
      if (type === 'train_step') losses.push(loss ?? NaN);
    });
    if (losses.length !== steps)
      throw new Error(`${losses.length} steps were logged, not ${steps}`);
    return { ...usage, first, losses };
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

/** Medians of a side's runs of one model. */
function figuresOf({ runs }: Outcome, side: Side['name']) {
  const own = runs.filter((one) => one.side === side).map(({ run }) => run);
  const median = (of: (run: Run) => number): number => spreadOf(own.map(of)).median;
  return {
    seconds: median((run) => run.seconds),
    sample: median(({ first }) => first.sample_progress ?? NaN),
    step: median(({ first }) => first.train_step ?? NaN),
    user: median((run) => run.userSeconds),
    system: median((run) => run.systemSeconds),
    faults: median((run) => run.minorFaults + run.majorFaults),
    peak: median((run) => run.peakBytes),
  };
}

const head = [
  'model',
  'version',
  'whole run, s',
  'of the other',
  'first sample, s',
  'first step, s',
  'user, s',
  'system, s',
  'page faults, thousands',
  'peak memory',
];

function rowsOf(outcome: Outcome, sides: readonly Side[]): string[][] {
  const seconds = (value: number): string => value.toFixed(1);
  return sides.map(({ name }) => {
    const own = figuresOf(outcome, name);
    const isCompared = name === 'this' && sides.length > 1;
    return [
      outcome.shape,
      name,
      seconds(own.seconds),
      isCompared ? `${(own.seconds / figuresOf(outcome, 'other').seconds).toFixed(2)} ×` : '',
      seconds(own.sample),
      seconds(own.step),
      seconds(own.user),
      seconds(own.system),
      (own.faults / 1000).toFixed(0),
      formatBytes(own.peak),
    ];
  });
}

const absent = missing(places.stories15M, places.e2e);
if (absent) {
  console.log(`bench:runs: skipped: ${absent.skipped}`);
  process.exit();
}
/** Processes that wanted to run in the last minute: times mean little where others did. */
const load = (loadavg()[0] ?? 0).toFixed(1);
const sides = [
  ...(flags.against === undefined ? [] : [build('other', resolve(flags.against))]),
  build('this', root),
];
const outcomes: Outcome[] = [];
for (const shape of shapeNames(flags.shapes)) {
  const outcome: Outcome = { shape, runs: [] };
  await alternate(
    rounds,
    sides.map((side) => async () => {
      const run = await measure(side, shape);
      outcome.runs.push({ side: side.name, run });
      const losses = run.losses.map((loss) => loss.toFixed(5)).join(' ');
      console.log(`${shape}, ${side.name}: ${run.seconds.toFixed(1)} s, losses ${losses}`);
    }),
  );
  outcomes.push(outcome);
}
const rows = [head, ...outcomes.flatMap((outcome) => rowsOf(outcome, sides))];
console.log(formatTable(rows, [...head.keys()].slice(2)));
if (flags.write) {
  const revisions = Object.fromEntries(
    sides.map(({ name, revision }) => [`${name} version`, revision]),
  );
  const { length } = defined(outcomes[0], 'outcome').runs;
  await writeResult('runs', {
    title: 'A whole run before and after',
    facts: { ...machineFacts({}), 'load before': load, ...revisions },
    rows,
    notes: [
      `A run of the command line: ${samples} samples of 128 tokens, as many for the KL estimate, ${steps} ` +
        'steps of 16 rows of E2E NLG, base and final scores, the saved model; ' +
        `${length / sides.length} of each version, by turns. Without settings of the allocator but those that a ` +
        'version makes itself. Processor time, faults and memory are of all its processes together.',
    ],
    numbers: { samples, steps, rounds, sides: revisions, outcomes },
  });
}
