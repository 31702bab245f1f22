/** What a run's folder says of it, while it is written to, goes wrong and goes away. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CfsError } from '../../../src/errors.js';
import { secondsWorked } from '../../../src/protocol/history.js';
import type { Phase, RunEvent } from '../../../src/protocol/records.js';
import { createRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { createdOf, createRunReader, foldEvent, noHistory } from '../../../src/runs/runInfo.js';
import { jsonLines, temporaryFolder } from '../../support/tinyModel.js';
import { madeUpConfig, madeUpEvents, timeAt } from './madeUpRun.js';

const time = timeAt(0);
const started = (step: number): RunEvent => ({
  type: 'run_started',
  time,
  step,
  provider: 'cpu',
  versions: {},
});
const phase = (name: Phase, total: number): RunEvent => ({
  type: 'phase',
  time,
  phase: name,
  progress: 0,
  total,
});
const trainStep = (step: number): RunEvent => ({
  type: 'train_step',
  time,
  step,
  loss: 1,
  losses: { dataset: 1 },
  learningRate: 0.1,
  gradNorm: 1,
  tokens: 10,
  tokensPerSecond: 500,
  secondsLeft: 60,
});
const failure = { code: 'WRITE_FAILED', message: 'Full.', remedy: 'Free space.', place: {} };
const fold = (...events: RunEvent[]) => events.reduce(foldEvent, noHistory);

function newRun(): { run: RunFolder; problems: CfsError[]; read: () => ReturnType<Reader> } {
  const run = createRun(temporaryFolder(), madeUpConfig(), new Date('2026-11-22T19:23:54Z'));
  const problems: CfsError[] = [];
  const reader = createRunReader(run.folder, (problem) => problems.push(problem));
  return { run, problems, read: () => reader.read() };
}
type Reader = ReturnType<typeof createRunReader>['read'];

const write = (run: RunFolder, ...events: RunEvent[]): void =>
  appendFileSync(run.paths.events, jsonLines(events));

/** A lock of this process, or of one that is long gone. */
function lock(run: RunFolder, alive: boolean): void {
  const pid = alive ? process.pid : 2 ** 22 + 1;
  writeFileSync(run.paths.lock, JSON.stringify({ pid, host: hostname(), started: null }));
}

test('training counts steps, with speed and time left', () => {
  expect(fold(started(0), phase('training', 100), trainStep(1), trainStep(2))).toMatchObject({
    phase: 'training',
    progress: 2,
    total: 100,
    step: 2,
    tokensPerSecond: 500,
    secondsLeft: 60,
    trained: true,
    end: undefined,
  });
});

test('generating counts samples', () => {
  const progress = { samples: 5, total: 20, tokens: 99, tokensPerSecond: 7, secondsLeft: 3 };
  const history = fold(phase('generating', 20), { type: 'sample_progress', time, ...progress });
  expect(history).toMatchObject({ phase: 'generating', progress: 5, total: 20, tokens: 99 });
  expect(history.trained).toBe(false);
});

test('work that has begun is starting until a piece of it is done, and knows its speed after that', () => {
  const first = { ...trainStep(1), tokensPerSecond: null, secondsLeft: null };
  const begun = fold(started(0), phase('training', 100));
  expect(begun).toMatchObject({ starting: true, secondsLeft: null });
  expect(foldEvent(begun, first)).toMatchObject({ starting: false, secondsLeft: null });
  // Measuring in between makes no sessions for training again, and takes no speed away.
  const measured = [trainStep(2), phase('evaluating', 2), phase('training', 100)];
  const again = measured.reduce(foldEvent, begun);
  expect(again).toMatchObject({ starting: false, tokensPerSecond: 500, secondsLeft: 60 });
  expect(fold(phase('generating', 20)).starting).toBe(true);
  expect(fold(trainStep(1), started(1), phase('training', 100)).starting).toBe(true);
});

test('a whole made-up run ends finished, with nothing left to wait for', () => {
  const history = fold(...madeUpEvents());
  expect(history).toMatchObject({ end: 'finished', step: 600, steps: 600, secondsLeft: null });
});

test('a resumed run continues from its checkpoint and forgets how it ended', () => {
  const begun = [started(0), phase('training', 100), trainStep(30)];
  const failed = fold(...begun, { type: 'run_failed', time, step: 20, error: failure });
  expect(failed).toMatchObject({ end: 'failed', failure, step: 20 });
  const resumed = [phase('loading', 0), started(20), phase('training', 100), trainStep(21)];
  const history = resumed.reduce(foldEvent, failed);
  expect(history).toMatchObject({ progress: 21, total: 100, step: 21 });
  expect([history.end, history.failure]).toEqual([undefined, undefined]);
});

test('time worked goes on where the last session ended', () => {
  const at = (minutes: number): string => new Date(Date.UTC(2026, 0, 2, 3, minutes)).toISOString();
  const first = [
    { ...started(0), time: at(0) },
    { ...trainStep(30), time: at(5) },
  ];
  const second = [
    { ...started(20), time: at(50) },
    { ...trainStep(21), time: at(52) },
  ];
  expect(secondsWorked(fold(...first, ...second).clock).total).toBe(7 * 60);
});

test('samples are settled once they were chosen, also when the run starts again', () => {
  expect(fold(started(0), { type: 'samples_chosen', time, excluded: [] }).trained).toBe(true);
  expect(fold(started(0), trainStep(1), started(0)).trained).toBe(true);
});

test('a run that nobody began is interrupted', async () => {
  const { run, read } = newRun();
  expect(await read()).toEqual({
    id: run.id,
    folder: run.folder,
    state: 'interrupted',
    name: 'poems',
    method: 'cfs',
    model: run.config.model,
    datasets: [run.config.dataset[0]?.path],
    created: '2026-11-22T19:23:54.000Z',
    progress: 0,
    total: 0,
    step: 0,
    tokensPerSecond: null,
    secondsLeft: null,
    secondsWorked: 0,
    samples: 0,
    checkpoints: [],
    hasReport: false,
    hasModel: false,
    trained: false,
  });
});

test('a run is followed from its start to its end', async () => {
  const { run, read } = newRun();
  lock(run, true);
  write(run, started(0), phase('generating', 3));
  appendFileSync(run.paths.samples, '{"a":1}\n{"a":2}\n{"a"');
  expect(await read()).toMatchObject({ state: 'running', phase: 'generating', samples: 2 });
  appendFileSync(run.paths.samples, ':3}\n');
  write(run, phase('training', 8), trainStep(4));
  for (const name of ['4', '8', '4.damaged']) mkdirSync(join(run.paths.checkpoints, name), all);
  expect(await read()).toMatchObject({ step: 4, samples: 3, checkpoints: [8, 4], trained: true });
  rmSync(run.paths.lock);
  write(run, { type: 'run_finished', time, step: 8 });
  mkdirSync(run.paths.model);
  writeFileSync(join(run.paths.model, 'config.json'), '{}');
  writeFileSync(run.paths.report, '');
  const last = await read();
  expect(last).toMatchObject({ state: 'finished', step: 8, hasModel: true, hasReport: true });
  expect(await read(), 'the same object while nothing changes').toBe(last);
});
const all = { recursive: true };

test('a run whose process died is interrupted', async () => {
  const { run, read } = newRun();
  lock(run, false);
  write(run, started(0), phase('training', 8), trainStep(4));
  expect(await read()).toMatchObject({
    state: 'interrupted',
    step: 4,
    problem: { code: 'PROCESS_KILLED', place: {} },
  });
});

test('a failed run says why', async () => {
  const { run, read } = newRun();
  write(run, started(0), { type: 'run_failed', time, step: 0, error: failure });
  expect(await read()).toMatchObject({ state: 'failed', problem: failure });
});

test('a broken run.yaml is told, and forgotten once it is mended', async () => {
  const { run, read } = newRun();
  writeFileSync(run.paths.config, 'name: poems\nmodle: base\ndataset: x.jsonl\n');
  const broken = await read();
  expect(broken).toMatchObject({ name: run.id, datasets: [], problem: { code: 'CONFIG_INVALID' } });
  writeFileSync(run.paths.config, 'name: mended\nmodel: base\ndataset: poems.jsonl\n');
  const mended = await read();
  expect(mended?.name).toBe('mended');
  expect(mended?.problem).toBeUndefined();
});

test('a broken line of the log is told and the others still count', async () => {
  const { run, read, problems } = newRun();
  write(run, started(0));
  appendFileSync(run.paths.events, '{"type":"unheard of"}\n');
  write(run, phase('training', 8), trainStep(1));
  expect(await read()).toMatchObject({ step: 1 });
  expect(problems.map(({ code, place }) => [code, place.line])).toEqual([['RECORD_BROKEN', 2]]);
});

test('a deleted folder is no run', async () => {
  const { run, read } = newRun();
  await read();
  rmSync(run.folder, { recursive: true });
  expect(await read()).toBeUndefined();
});

test('the time a run was made is in its id', () => {
  expect(createdOf('2026-11-22-191038-demo-2f1f')).toBe('2026-11-22T19:10:38.000Z');
  expect(createdOf('my-run')).toBe('1970-01-01T00:00:00.000Z');
});
