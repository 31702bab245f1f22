/**
 * `npm run bench:estimate`: what the mix page says a run will take, beside what it takes. Whole runs
 * in the engine's own process, small ones of models of every size in `shapes.ts`. Fails (exit code 1)
 * when memory is off by more than `memoryFactor`; times depend on what else the machine does and are
 * only shown, with the processor time that the run took. What does not fit is refused, here too.
 *
 *   npm run bench:estimate -- [--runs demo,15M,42M,110M,350M,1.1B] [--write]
 */
import { execFileSync, fork } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
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
import { shapes, type ShapeName } from './shapes.js';
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

const phases = ['starting', 'generating', 'training', 'evaluating', 'saving'] as const;

/** Seconds of a finished run, by the phases of an estimate. */
type Seconds = RunEstimate['seconds'];

interface Outcome {
  run: string;
  estimate: RunEstimate;
  seconds: Seconds;
  /** Of all threads of the engine's process; undefined where the system does not tell. */
  processorSeconds: number | undefined;
  /** Highest resident bytes of the engine's process; undefined where the system does not tell. */
  peakBytes: number | undefined;
}

/** The configurations by name; the larger the model, the fewer steps. */
const configs: Record<string, () => RunConfig | Skipped> = {
  demo: () => readRunConfig(join(root, 'media', 'demo', 'cfs.yaml')),
  '15M': () => missing(places.stories15M, places.e2e) ?? storyConfig(places.stories15M, 8),
};
/** Steps for a shape; the largest take few. */
const stepsOf: Partial<Record<string, number>> = { '42M': 4, '110M': 3 };
const fewestSteps = 2;

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

function randomConfig(shape: string): RunConfig | Skipped {
  const absent = missing(places.stories15M, places.e2e);
  if (absent) return absent;
  if (!isShape(shape)) {
    throw new Error(`no run ${shape}; there are demo, ${Object.keys(shapes).join(', ')}`);
  }
  const folder = knownModel(shape);
  copyTokenizer(folder);
  return storyConfig(folder, stepsOf[shape] ?? fewestSteps);
}

function isShape(name: string): name is ShapeName {
  return Object.hasOwn(shapes, name);
}

async function measure(
  name: string,
  engine: string,
  config: RunConfig,
): Promise<Outcome | Skipped> {
  const workspace = join(cacheFolder, 'estimate');
  const { estimate: expected } = await validateCommand({ config, workspace });
  const estimate = defined(expected, 'estimate');
  if (estimate.verdict === 'too-large') return { skipped: `refused: ${estimate.reason}` };
  const run = createRun(workspace, config);
  try {
    const spent = await runEngine(engine, run.folder);
    const { timings } = defined(readResults(run), 'results');
    const time = (phase: string): number => timings[phase] ?? 0;
    const seconds = {
      starting: time('loading') + time('preparing') + time('starting'),
      generating: time('generating'),
      training: time('training'),
      evaluating: time('evaluating'),
      saving: time('saving'),
      total: time('total'),
    };
    return { run: name, estimate, seconds, ...spent };
  } finally {
    rmSync(run.folder, { recursive: true, force: true });
  }
}

/** Runs a job in the engine's process; its highest memory, and the processor time it took. */
function runEngine(
  engine: string,
  runFolder: string,
): Promise<Pick<Outcome, 'peakBytes' | 'processorSeconds'>> {
  return new Promise((resolve, reject) => {
    const child = fork(engine, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const spent: Pick<Outcome, 'peakBytes' | 'processorSeconds'> = {
      peakBytes: undefined,
      processorSeconds: undefined,
    };
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve(spent);
      else reject(new Error(`the engine ended with ${code}`));
    });
    child.on('message', (raw) => {
      const message = engineMessageSchema.parse(raw);
      const pid = defined(child.pid, 'process id');
      spent.peakBytes = statusBytes(pid, 'VmHWM') ?? spent.peakBytes;
      spent.processorSeconds = processorSeconds(pid) ?? spent.processorSeconds;
      if (message.type === 'ready') child.send({ type: 'start', runFolder, until: 'end' });
      if (message.type === 'failed') reject(recordedError(message.error));
    });
  });
}

/** User and system time of all threads of a process; undefined where the system does not tell. */
function processorSeconds(pid: number): number | undefined {
  try {
    // The name in brackets may hold spaces; the ticks of a hundredth of a second follow it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

function tableOf(outcomes: readonly Outcome[]): string[][] {
  const compare = (estimated: number, measured: number, show: (value: number) => string): string =>
    `${show(estimated)} / ${show(measured)} (${(estimated / measured).toFixed(2)} ×)`;
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  return [
    ['run', ...phases, 'in all', 'processor time ÷ threads', 'peak memory'],
    ...outcomes.map(({ run, estimate, seconds: took, processorSeconds: spent, peakBytes }) => [
      run,
      ...([...phases, 'total'] as const).map((phase) =>
        compare(estimate.seconds[phase], took[phase], seconds),
      ),
      spent === undefined ? '–' : seconds(spent / cpus().length),
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
  const config = configs[name]?.() ?? randomConfig(name);
  if (isSkipped(config)) {
    console.log(`${name}: skipped: ${config.skipped}`);
    continue;
  }
  const outcome = await measure(name, join(bundles, 'engine.js'), config);
  if (isSkipped(outcome)) {
    console.log(`${name}: ${outcome.skipped}`);
    continue;
  }
  outcomes.push(outcome);
  // Each at once: the next run may take long, or be too much for this machine.
  console.log(formatTable(tableOf([outcome]), [1, 2, 3, 4, 5, 6, 7, 8]));
  console.log(`${name}: ${JSON.stringify(outcome.estimate.memory.parts)}`);
}
const rows = tableOf(outcomes);
console.log(formatTable(rows, [1, 2, 3, 4, 5, 6, 7, 8]));
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
        'here; a quiet machine takes between the processor time ÷ threads and the processor time. Their ' +
        'constants come from the other recorded benchmarks.',
    ],
    numbers: { outcomes },
  });
}
process.exit(off.length > 0 ? 1 : 0);
