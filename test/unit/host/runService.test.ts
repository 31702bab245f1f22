/**
 * Jobs in a process of their own. A made-up engine does what the name of a run says, so that every
 * way to end is seen; the real one runs a whole job at the end.
 */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test, vi } from 'vitest';
import { createRunLibrary } from '../../../src/host/runLibrary.js';
import { createRunService } from '../../../src/host/runService.js';
import type { RunEnd, RunService } from '../../../src/host/studio.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { removeRefused } from '../../../src/runs/refusedRun.js';
import { createRun, readEvents, runState } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { readVitals } from '../../../src/runs/vitals.js';
import { jsonLines, temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';
import { madeUpConfig, timeAt } from '../runs/madeUpRun.js';
import { createCleaner, keepLog, refusal, writeProgram } from './hostSupport.js';

const fakeEngine = `
import { appendFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
const say = (message) => new Promise((resolve) => process.send(message, resolve));
const end = async (message) => { await say(message); process.exit(0); };
let name = '';
process.on('message', async (request) => {
  if (request.type === 'stop') {
    if (name === 'deaf') return;
    return end({ type: 'finished', stopped: true });
  }
  name = basename(request.runFolder).split('-')[4];
  appendFileSync(join(dirname(request.runFolder), 'requests'), request.type + ' ' + name + '\\n');
  if (name === 'quick') await end({ type: 'finished', stopped: request.until === 'samples' });
  if (name === 'fails') {
    const error = { code: 'MODEL_MISSING', message: 'No model.', remedy: 'Choose one.', place: {} };
    await end({ type: 'failed', error });
  }
  if (name === 'crashes') { console.error('out of luck'); process.exit(3); }
  if (name === 'killed') process.kill(process.pid, 'SIGKILL');
  if (name === 'gibberish') await say({ type: 'news from another version' });
});
process.on('disconnect', () => process.exit());
setInterval(() => {}, 1000);
await say({ type: 'ready', pid: process.pid, version: '1.2.3' });
`;

const clean = createCleaner();

function setUp(options: { stopTimeoutMs?: number; script?: string; nodePath?: string } = {}) {
  const workspace = temporaryFolder();
  const { log, lines } = keepLog();
  const ends: RunEnd[] = [];
  const { script = writeProgram(fakeEngine), nodePath, stopTimeoutMs } = options;
  const library = clean(
    createRunLibrary({
      workspace: () => workspace,
      queued: () => service.queue,
      current: () => service.current,
      log,
    }),
  );
  const service: RunService = clean(
    createRunService({
      script,
      library,
      workspace: () => workspace,
      log,
      nodePath: () => nodePath,
      ...(stopTimeoutMs === undefined ? {} : { stopTimeoutMs }),
    }),
  );
  service.onDidEnd((end) => ends.push(end));
  const start = (name: string, until: 'samples' | 'end' = 'end'): string =>
    service.start(madeUpConfig('cfs', name), until).id;
  const requests = (): string[] => {
    const file = join(workspace, '.cfs', 'runs', 'requests');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  const ended = (count: number): Promise<void> =>
    vi.waitFor(() => expect(ends).toHaveLength(count), 60_000);
  const asked = (count: number): Promise<void> =>
    vi.waitFor(() => expect(requests()).toHaveLength(count), 60_000);
  return { workspace, library, service, lines, ends, start, requests, ended, asked };
}

test('a run starts and finishes', async () => {
  const { service, ends, start, ended, lines } = setUp();
  const id = start('quick');
  expect(service.current).toBe(id);
  await ended(1);
  expect(ends).toEqual([{ runId: id, outcome: 'finished' }]);
  expect(service.current).toBeUndefined();
  expect(lines.some((line) => line.includes('The engine 1.2.3 is up'))).toBe(true);
});

test('a run that was to end at its samples says so', async () => {
  const { ends, start, ended } = setUp();
  start('quick', 'samples');
  await ended(1);
  expect(ends[0]?.outcome).toBe('samples');
});

test('runs wait for each other, shown as queued, and go in order', async () => {
  const { service, library, ends, start, ended, asked, requests } = setUp();
  const [first, second, third] = [start('waits'), start('quick'), start('fails')];
  expect([service.current, service.queue]).toEqual([first, [second, third]]);
  await vi.waitFor(() => {
    const states = [first, second, third].map((id) => library.get(id)?.state);
    expect(states).toEqual(['running', 'queued', 'queued']);
  }, 10_000);
  await asked(1);
  await service.stop(first);
  await ended(3);
  expect(ends.map(({ outcome }) => outcome)).toEqual(['stopped', 'finished', 'failed']);
  expect(ends[2]?.error).toMatchObject({ code: 'MODEL_MISSING', remedy: 'Choose one.' });
  expect(requests()).toEqual(['start waits', 'start quick', 'start fails']);
});

test('a run that is refused before anything was done leaves no folder', async () => {
  const script = join(inject('bundles'), 'engine.js');
  const { workspace, service, library, ends, ended } = setUp({ script });
  const source = writeWorkspace(temporaryFolder(), { training: { batchRows: 1 } });
  const config = readRunConfig(join(source, 'run.yaml'));
  const run = service.start(config, 'end');
  await ended(1);
  expect(ends[0]).toMatchObject({ outcome: 'failed', removed: true });
  expect(ends[0]?.error?.code).toBe('BATCH_TOO_SMALL');
  expect(existsSync(run.folder)).toBe(false);
  await vi.waitFor(() => expect(library.list()).toEqual([]), 10_000);

  // What a person has put there stays, and the run with it.
  const kept = service.start(config, 'end');
  writeFileSync(join(kept.folder, 'notes.txt'), 'mine');
  await ended(2);
  expect(ends[1]).toMatchObject({ outcome: 'failed' });
  expect(ends[1]?.removed).toBeUndefined();
  expect(readdirSync(kept.folder)).toEqual(expect.arrayContaining(['run.yaml', 'notes.txt']));
  service.resume(kept.id);
  await ended(3);
  expect(existsSync(kept.folder)).toBe(true);

  // Whatever was computed stays too.
  const worked = createRun(workspace, config);
  const phase = {
    type: 'phase',
    time: timeAt(0),
    phase: 'generating',
    progress: 0,
    total: 0,
  } as const;
  appendFileSync(worked.paths.events, jsonLines([phase]));
  expect(removeRefused(worked)).toBe(false);
  expect(existsSync(worked.paths.config)).toBe(true);

  // What a native library had to say before that is no work.
  const noisy = createRun(workspace, config);
  writeFileSync(noisy.paths.stderr, 'no Vulkan driver here\n');
  expect(removeRefused(noisy)).toBe(true);
  expect(existsSync(noisy.folder)).toBe(false);
});

test('a waiting run is taken out of the queue, and a deleted one is skipped', async () => {
  const { service, library, start, ends, ended, asked } = setUp();
  const [first, second, third] = [start('waits'), start('quick'), start('quick')];
  await service.stop(second);
  expect(service.queue).toEqual([third]);
  rmSync(library.open(third).folder, { recursive: true });
  await asked(1);
  await service.stop(first);
  await ended(2);
  expect(ends).toMatchObject([
    { runId: first, outcome: 'stopped' },
    { runId: third, outcome: 'failed', error: { code: 'RUN_NOT_FOUND' } },
  ]);
});

test.each([
  ['crashes', 'ENGINE_DIED', 'exit code 3'],
  ['killed', 'PROCESS_KILLED', 'memory ran out'],
])('an engine that %s leaves a run that can be resumed', async (name, code, words) => {
  const { service, library, ends, start, ended, requests, lines } = setUp();
  const id = start(name);
  await ended(1);
  expect(ends[0]).toMatchObject({ outcome: 'crashed', error: { code } });
  expect(ends[0]?.error?.message).toContain(words);
  await vi.waitFor(() => expect(library.get(id)?.state).toBe('interrupted'), 10_000);
  if (name === 'crashes') expect(lines).toContain('engine: out of luck');
  service.resume(id);
  await ended(2);
  expect(requests()).toEqual([`start ${name}`, `resume ${name}`]);
});

test('a stopped run resumes to its samples only, or to the end', async () => {
  const { service, ends, start, ended } = setUp();
  const id = start('quick', 'samples');
  await ended(1);
  service.resume(id, 'samples');
  await ended(2);
  service.resume(id);
  await ended(3);
  expect(ends.map(({ outcome }) => outcome)).toEqual(['samples', 'samples', 'finished']);
});

test('a run whose samples wait trains with other settings, and one under way does not', async () => {
  const { service, library, start, ended, asked } = setUp();
  const config = (id: string, steps: number) => {
    const { config } = library.open(id);
    return { ...config, training: { ...config.training, steps } };
  };
  const id = start('quick', 'samples');
  await ended(1);
  service.resumeWith(id, config(id, 77));
  expect(service.current).toBe(id);
  expect(library.open(id).config.training.steps).toBe(77);
  // A second click.
  service.resumeWith(id, config(id, 77));
  expect(service.queue).toEqual([]);
  expect(refusal(() => service.resumeWith(id, config(id, 78)))).toBe('RUN_LOCKED');
  expect(library.open(id).config.training.steps).toBe(77);
  await ended(2);
  await asked(2);
});

test('an engine of another version is told apart and stopped', async () => {
  const { ends, start, ended } = setUp();
  start('gibberish');
  await ended(1);
  expect(ends[0]).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_MISMATCH' } });
});

test('an engine that does not stop in time is ended, and the log says so', async () => {
  const { service, ends, start, asked, lines } = setUp({ stopTimeoutMs: 300 });
  const id = start('deaf');
  await asked(1);
  await service.stop(id);
  expect(ends[0]).toMatchObject({ outcome: 'crashed', error: { code: 'ENGINE_KILLED' } });
  expect(lines.some((line) => line.includes('ENGINE_KILLED'))).toBe(true);
});

test('a Node.js that is not there is told with its setting', async () => {
  const { ends, start, ended } = setUp({ nodePath: '/nowhere/node' });
  start('quick');
  await ended(1);
  expect(ends[0]).toMatchObject({ outcome: 'failed', error: { code: 'PROCESS_NOT_STARTED' } });
  expect(ends[0]?.error?.remedy).toContain('cfs.nodePath');
});

test('a finished run, one that another process runs, and one that is not there are refused', () => {
  const { workspace, service } = setUp();
  const make = (...events: RunEvent[]) => {
    const run = createRun(workspace, madeUpConfig());
    appendFileSync(run.paths.events, jsonLines(events));
    return run;
  };
  const finished = make({ type: 'run_finished', time: timeAt(0), step: 1 });
  expect(refusal(() => service.resume(finished.id))).toBe('RUN_FINISHED');
  const locked = make();
  const writer = openRunWriter(locked);
  expect(refusal(() => service.resume(locked.id))).toBe('RUN_LOCKED');
  writer.close();
  expect(refusal(() => service.resume('nothing'))).toBe('RUN_NOT_FOUND');
  expect(refusal(() => service.resume('../runs'))).toBe('RUN_NOT_FOUND');
});

test('a run of another process cannot be stopped from here', async () => {
  const { workspace, service, library } = setUp();
  const run = createRun(workspace, madeUpConfig());
  const writer = openRunWriter(run);
  library.refresh();
  await vi.waitFor(() => expect(library.get(run.id)?.state).toBe('running'), 10_000);
  await expect(service.stop(run.id)).rejects.toMatchObject({ code: 'RUN_ELSEWHERE' });
  writer.close();
});

test('a window that closes lets its engine end by itself', async () => {
  const marker = join(temporaryFolder(), 'said');
  const script = writeProgram(`
    import { writeFileSync } from 'node:fs';
    process.on('disconnect', () => setTimeout(() => {
      writeFileSync(${JSON.stringify(marker)}, 'checkpoint');
      process.exit();
    }, 200));
    process.send({ type: 'ready', pid: process.pid, version: '1' });
  `);
  const { service, start, lines } = setUp({ script });
  start('waits');
  await vi.waitFor(() => expect(lines.some((line) => line.includes('is up'))).toBe(true), 10_000);
  service.dispose();
  await vi.waitFor(() => expect(existsSync(marker)).toBe(true), 10_000);
});

test('the real engine: samples, then training, stopped, resumed, finished', async () => {
  // Many, and looked for in the folder itself: a step takes milliseconds, and it must not end first.
  const steps = 300;
  const source = writeWorkspace(temporaryFolder(), { training: { steps } });
  const config = readRunConfig(join(source, 'run.yaml'));
  const { service, library, ends, ended } = setUp({ script: join(inject('bundles'), 'engine.js') });
  const events: RunEvent[] = [];
  const run = service.start(config, 'samples');
  clean(
    library.follow(run.id, (more, first) => {
      if (first) events.length = 0;
      events.push(...more);
    }),
  );
  await ended(1);
  expect(ends[0]).toEqual({ runId: run.id, outcome: 'samples' });
  await vi.waitFor(() => {
    expect(library.get(run.id)).toMatchObject({ state: 'stopped', samples: 12, trained: false });
  }, 10_000);

  service.resume(run.id);
  await vi.waitFor(() => expect(readEvents(run).map(({ type }) => type)).toContain('train_step'), {
    timeout: 60_000,
    interval: 10,
  });
  await service.stop(run.id);
  expect(ends[1]?.outcome).toBe('stopped');
  expect(runState(run)).toBe('stopped');

  service.resume(run.id);
  await ended(3);
  expect(ends[2]).toEqual({ runId: run.id, outcome: 'finished' });
  await vi.waitFor(() => {
    const facts = { state: 'finished', step: steps, hasReport: true, hasModel: true };
    expect(library.get(run.id)).toMatchObject(facts);
    expect(events.at(-1)?.type).toBe('run_finished');
  }, 10_000);
});

test.runIf(process.platform !== 'win32')(
  'the real engine, killed: why, at once and in the list',
  async () => {
    const source = writeWorkspace(temporaryFolder(), { training: { steps: 300 } });
    const config = readRunConfig(join(source, 'run.yaml'));
    const { service, library, ends, ended } = setUp({
      script: join(inject('bundles'), 'engine.js'),
    });
    const run = service.start(config, 'end');
    await vi.waitFor(
      () => expect(readEvents(run).map(({ type }) => type)).toContain('train_step'),
      {
        timeout: 60_000,
        interval: 10,
      },
    );
    const started = readEvents(run).find(({ type }) => type === 'run_started');
    expect(started).toMatchObject({ allocator: { asked: process.platform === 'linux' } });
    process.kill(readVitals(run.paths.vitals)?.holder.pid ?? 0, 'SIGKILL');
    await ended(1);
    const error = { code: 'PROCESS_KILLED' };
    expect(ends[0]).toMatchObject({ outcome: 'crashed', error });
    expect(ends[0]?.error?.message).toMatch(
      /^The process was ended from outside.*: it held .* before\.$/,
    );
    await vi.waitFor(() => {
      expect(library.get(run.id)).toMatchObject({ state: 'interrupted', problem: ends[0]?.error });
    }, 10_000);

    service.resume(run.id, 'samples');
    await ended(2);
    expect(readEvents(run)).toContainEqual(expect.objectContaining({ type: 'warning', ...error }));
  },
);
