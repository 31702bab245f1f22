/**
 * `npm run bench:host-lag`: how long the editor's event loop is held up by what the extension does in
 * it: following a run that trains (list, curves), and reading the log of a long run for the first time.
 * The child of this process is the shipped engine, so run `npm run build` before.
 *
 *   npm run bench:host-lag -- [--megabytes 100] [--runs 50] [--write]
 */
import { spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { createRunLibrary } from '../src/host/runLibrary.js';
import { createRunService } from '../src/host/runService.js';
import type { RunEvent } from '../src/protocol/records.js';
import { readRunConfig } from '../src/runs/config.js';
import { createRun } from '../src/runs/runFolder.js';
import { root } from './support/places.js';
import { machineFacts, writeResult } from './support/report.js';

const { values: flags } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '100' },
    runs: { type: 'string', default: '50' },
    write: { type: 'boolean', default: false },
  },
});
const [megabytes, finishedRuns] = [Number(flags.megabytes), Number(flags.runs)];

/** Milliseconds beyond the sampling interval, which the histogram counts as delay too. */
interface Lag {
  median: number;
  p99: number;
  max: number;
  /** The same of a process that does nothing at the same time: the machine's part. */
  control: { p99: number; max: number };
  /** Seconds measured. */
  seconds: number;
}
const intervalMs = 5;

/** Starts a process that measures the delay of its own empty loop; the result ends and reads it. */
async function startControl(): Promise<() => Promise<Lag['control']>> {
  const child = spawn(process.execPath, ['-e', controlCode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return async () => {
    child.stdin.end();
    const [p99 = NaN, max = NaN] = String((await lines.next()).value)
      .split(' ')
      .map((value) => beyond(Number(value)));
    return { p99, max };
  };
}
const controlCode = `
  const histogram = require('node:perf_hooks').monitorEventLoopDelay({ resolution: ${intervalMs} });
  histogram.enable();
  console.log('ready');
  process.stdin.resume().on('end', () => console.log(histogram.percentile(99) + ' ' + histogram.max));
`;

function beyond(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - intervalMs);
}

async function lagOf(work: () => Promise<unknown>): Promise<Lag> {
  const endControl = await startControl();
  const histogram = monitorEventLoopDelay({ resolution: intervalMs });
  const start = performance.now();
  histogram.enable();
  await work();
  histogram.disable();
  const seconds = (performance.now() - start) / 1000;
  return {
    median: beyond(histogram.percentile(50)),
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
    control: await endControl(),
    seconds,
  };
}

const workspace = mkdtempSync(join(tmpdir(), 'cfs-host-lag-'));
const log = { info: () => undefined, warn: console.error, error: console.error };
const library = createRunLibrary({
  workspace: () => workspace,
  queued: () => service.queue,
  current: () => service.current,
  log,
});
const service = createRunService({
  script: join(root, 'dist', 'engine.js'),
  library,
  workspace: () => workspace,
  log,
});

try {
  cpSync(join(root, 'media', 'demo'), workspace, { recursive: true });
  const config = readRunConfig(join(workspace, 'cfs.yaml'));
  const idle = await lagOf(() => sleep(3000));

  let events = 0;
  let outcome = '';
  const training = await lagOf(async () => {
    const ended = new Promise<void>((resolve) =>
      service.onDidEnd((end) => {
        outcome = end.error?.message ?? end.outcome;
        resolve();
      }),
    );
    const run = service.start(config, 'end');
    const following = library.follow(run.id, (more) => (events += more.length));
    await ended;
    following.dispose();
  });
  if (outcome !== 'finished') throw new Error(`the run should have finished: ${outcome}`);

  for (let i = 0; i < finishedRuns; i++) {
    const run = createRun(workspace, config);
    appendFileSync(run.paths.events, stepLines(0, 200));
  }
  const long = createRun(workspace, { ...config, name: 'long' });
  let [size, step] = [0, 0];
  while (size < megabytes * 1e6) {
    const lines = stepLines(step, step + 1000);
    appendFileSync(long.paths.events, lines);
    size += lines.length;
    step += 1000;
  }
  let taken = 0;
  const reading = await lagOf(async () => {
    library.refresh();
    const following = library.follow(long.id, (more) => (taken += more.length));
    while (taken < step || library.get(long.id)?.step !== step) await sleep(50);
    following.dispose();
  });

  const rows: [string, Lag][] = [
    ['nothing', idle],
    [`a run of the demo, ${events} events followed`, training],
    [`a log of ${megabytes} MB read by list and page, and ${finishedRuns} finished runs`, reading],
  ];
  const table = [
    [
      ...['activity', 'median ms', 'p99 ms', 'longest ms'],
      ...['p99 ms of an idle process', 'its longest ms', 'seconds'],
    ],
    ...rows.map(([what, { median, p99, max, control, seconds }]) => [
      what,
      ...[median, p99, max, control.p99, control.max, seconds].map((value) => value.toFixed(1)),
    ]),
  ];
  console.log(formatTable(table));
  if (flags.write) {
    await writeResult('host-lag', {
      title: 'How long the event loop of the editor is held up',
      facts: machineFacts({}),
      rows: table,
      notes: [
        `Delay beyond the sampling interval of ${intervalMs} ms. The engine uses all cores meanwhile, ` +
          'so part of the delay is waiting for one: that part an idle process has too.',
      ],
      numbers: { idle, training, reading },
    });
  }
} finally {
  service.dispose();
  library.dispose();
  rmSync(workspace, { recursive: true, force: true });
}

function stepLines(from: number, to: number): string {
  const event = (step: number): RunEvent => ({
    type: 'train_step',
    time: new Date(1.8e12 + step * 1000).toISOString(),
    step,
    loss: 2.5 / Math.sqrt(step),
    losses: { dataset: 2 / Math.sqrt(step), cfs: 0.5 / Math.sqrt(step) },
    learningRate: 1e-5,
    gradNorm: 1 + 1 / step,
    tokens: 2048,
    tokensPerSecond: 1234.5 + 1 / step,
    secondsLeft: 1e6 / step,
  });
  return Array.from(
    { length: to - from },
    (_, i) => `${JSON.stringify(event(from + i + 1))}\n`,
  ).join('');
}
