/**
 * `npm run bench:estimate`: what the mix page says a run will take, beside what it takes. Whole runs
 * in the engine's own process, small ones of models of 1M to 110M parameters. Fails (exit code 1)
 * when memory is off by more than `memoryFactor`; times depend on what else the machine does and are
 * only shown.
 *
 *   npm run bench:estimate -- [--runs demo,15M,42M,110M] [--write]
 */
import { execFileSync, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { validateCommand } from '../src/engine/commands.js';
import { defined } from '../src/errors.js';
import { engineMessageSchema } from '../src/protocol/engine.js';
import { recordedError } from '../src/protocol/errorRecord.js';
import type { RunEstimate } from '../src/protocol/preview.js';
import { readRunConfig } from '../src/runs/config.js';
import { runConfigSchema, type RunConfig } from '../src/runs/configSchema.js';
import { createRun, readResults } from '../src/runs/runFolder.js';
import { isSkipped, type Skipped } from './peers/lineProcess.js';
import type { ShapeName } from './shapes.js';
import { statusBytes } from './support/memory.js';
import { cacheFolder, copyTokenizer, knownModel, missing, places, root } from './support/places.js';
import { formatBytes, machineFacts, writeResult } from './support/report.js';

/** How far the estimate of memory may be from the measured peak, either way. */
const memoryFactor = 1.4;

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: 'demo,15M,42M,110M' },
    write: { type: 'boolean', default: false },
  },
});

/** Seconds of a finished run, by the phases of an estimate. */
type Seconds = RunEstimate['seconds'];

interface Outcome {
  run: string;
  estimate: RunEstimate;
  seconds: Seconds;
  /** Highest resident bytes of the engine's process; undefined where the system does not tell. */
  peakBytes: number | undefined;
}

/** The configurations by name; the larger the model, the fewer steps. */
const configs: Record<string, () => RunConfig | Skipped> = {
  demo: () => readRunConfig(join(root, 'media', 'demo', 'cfs.yaml')),
  '15M': () => missing(places.stories15M, places.e2e) ?? storyConfig(places.stories15M, 8),
  '42M': () => randomConfig('42M', 4),
  '110M': () => randomConfig('110M', 3),
};

/** E2E NLG on a model with the tokenizer of stories15M, every kind of work in small amounts. */
function storyConfig(model: string, steps: number): RunConfig {
  const task = (name: string): string => join(root, 'media', 'demo', 'tasks', `${name}.yaml`);
  return runConfigSchema.parse({
    name: 'estimate',
    model,
    dataset: { path: places.e2e, columns: { prompt: 'mr', response: 'ref' } },
    provider: 'cpu',
    generation: { count: 16, maxLength: 128, stopAtEos: false },
    training: { steps, maxLength: 256, checkpointEvery: steps },
    evaluation: {
      tasks: ['arithmetic', 'stories', 'sorting'].map(task),
      every: Math.ceil(steps / 2),
      subset: 10,
      full: false,
      klSamples: 8,
      holdOut: 0.01,
    },
  });
}

function randomConfig(shape: ShapeName, steps: number): RunConfig | Skipped {
  const absent = missing(places.stories15M, places.e2e);
  if (absent) return absent;
  const folder = knownModel(shape);
  copyTokenizer(folder);
  return storyConfig(folder, steps);
}

async function measure(name: string, engine: string, config: RunConfig): Promise<Outcome> {
  const workspace = join(cacheFolder, 'estimate');
  const { estimate } = await validateCommand({ config, workspace });
  const run = createRun(workspace, config);
  try {
    const peakBytes = await runEngine(engine, run.folder);
    const { timings } = defined(readResults(run), 'results');
    const time = (phase: string): number => timings[phase] ?? 0;
    const seconds = {
      generating: time('generating'),
      training: time('training'),
      evaluating: time('evaluating'),
      total: time('generating') + time('training') + time('evaluating'),
    };
    return { run: name, estimate: defined(estimate, 'estimate'), seconds, peakBytes };
  } finally {
    rmSync(run.folder, { recursive: true, force: true });
  }
}

/** Runs a job in the engine's process; its highest memory. */
function runEngine(engine: string, runFolder: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = fork(engine, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let peak: number | undefined;
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve(peak);
      else reject(new Error(`the engine ended with ${code}`));
    });
    child.on('message', (raw) => {
      const message = engineMessageSchema.parse(raw);
      peak = statusBytes(defined(child.pid, 'process id'), 'VmHWM') ?? peak;
      if (message.type === 'ready') child.send({ type: 'start', runFolder, until: 'end' });
      if (message.type === 'failed') reject(recordedError(message.error));
    });
  });
}

function tableOf(outcomes: readonly Outcome[]): string[][] {
  const compare = (estimated: number, measured: number, show: (value: number) => string): string =>
    `${show(estimated)} / ${show(measured)} (${(estimated / measured).toFixed(2)} ×)`;
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  return [
    ['run', 'generating', 'training', 'evaluating', 'in all', 'peak memory'],
    ...outcomes.map(({ run, estimate, seconds: took, peakBytes }) => [
      run,
      ...(['generating', 'training', 'evaluating', 'total'] as const).map((phase) =>
        compare(estimate.seconds[phase], took[phase], seconds),
      ),
      peakBytes === undefined ? '–' : compare(estimate.memory.needed, peakBytes, formatBytes),
    ]),
  ];
}

/** Processes that wanted to run in the last minute: times mean little where others did. */
const load = (loadavg()[0] ?? 0).toFixed(1);
const bundles = join(cacheFolder, 'dist');
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), bundles], { stdio: 'inherit' });
const outcomes: Outcome[] = [];
for (const name of flags.runs.split(',')) {
  const make = configs[name];
  if (!make) throw new Error(`no run ${name}; there are ${Object.keys(configs).join(', ')}`);
  const config = make();
  if (isSkipped(config)) {
    console.log(`${name}: skipped: ${config.skipped}`);
    continue;
  }
  const outcome = await measure(name, join(bundles, 'engine.js'), config);
  outcomes.push(outcome);
  console.log(`${name}: ${JSON.stringify(outcome.estimate.memory.parts)}`);
}
const rows = tableOf(outcomes);
console.log(formatTable(rows, [1, 2, 3, 4, 5]));
const off = outcomes.filter(({ estimate, peakBytes }) => {
  const ratio = peakBytes === undefined ? 1 : estimate.memory.needed / peakBytes;
  return Math.max(ratio, 1 / ratio) > memoryFactor;
});
for (const { run } of off) console.error(`FAIL: memory of ${run} is off by over ${memoryFactor} ×`);
if (flags.write) {
  await writeResult('estimate', {
    title: 'Estimates beside runs',
    facts: { ...machineFacts({}), 'load before': load },
    rows,
    notes: [
      'Each cell: estimated before the run / measured in it (their ratio). Memory is the highest ' +
        `resident size of the engine's process and must be within ${memoryFactor} × either way. Times are ` +
        'estimated for a machine that does nothing else: with a load before above 1, they say little ' +
        'here. Their constants come from the other recorded benchmarks.',
    ],
    numbers: { outcomes },
  });
}
process.exit(off.length > 0 ? 1 : 0);
