import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CfsError, formatPlace } from '../../../src/errors.js';
import {
  createRun,
  findRun,
  listRuns,
  openRun,
  readEvents,
  readItems,
  readResults,
  readSamples,
  runState,
} from '../../../src/runs/runFolder.js';
import { createRunReader } from '../../../src/runs/runInfo.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { readExclusions } from '../../../src/runs/exclusions.js';
import type { RunFolder } from '../../../src/runs/runFolder.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { expectError } from '../../support/expectError.js';
import { madeUpConfig, madeUpEvents, madeUpResults, madeUpSamples, timeAt } from './madeUpRun.js';

let workspace: string;
let run: RunFolder;

beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'cfs-runs-'));
  run = createRun(workspace, madeUpConfig(), new Date(Date.UTC(2026, 4, 6, 7, 8, 9)));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

const events = madeUpEvents().slice(0, 20);

/** Code and place of what `action` throws. */
function placeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof CfsError) return `${error.code} ${formatPlace(error.place)}`;
    throw error;
  }
  return 'nothing thrown';
}

function write(...list: RunEvent[]): void {
  const writer = openRunWriter(run);
  list.forEach((event) => writer.appendEvent(event));
  writer.close();
}

describe('createRun', () => {
  it('names the folder by date, name and hash and never uses one twice', () => {
    expect(run.id).toMatch(/^2026-05-06-070809-poems-[0-9a-f]{4}$/);
    const moment = new Date(Date.UTC(2026, 4, 6, 7, 8, 9));
    const again = createRun(workspace, run.config, moment);
    expect(again.folder).not.toBe(run.folder);
  });

  it('writes a configuration that reads the same from the run folder', () => {
    expect(openRun(run.folder)).toEqual(run);
  });

  it('makes a usable id from any name', () => {
    const odd = createRun(workspace, { ...run.config, name: '../../été / 日本' });
    expect(odd.id).toMatch(/-e-te-[0-9a-f]{4}$/);
    expect(findRun(workspace, odd.id)).toEqual(odd);
  });
});

describe('findRun and listRuns', () => {
  it('finds by folder, id and unambiguous beginning', async () => {
    expect(findRun(workspace, run.folder)).toEqual(run);
    expect(findRun(workspace, run.id)).toEqual(run);
    expect(findRun(workspace, '2026-05-06')).toEqual(run);
    const other = createRun(workspace, run.config, new Date(Date.UTC(2026, 4, 6)));
    const find = () => findRun(workspace, '2026-05-06');
    const { message } = await expectError('RUN_AMBIGUOUS', find);
    for (const part of ['2 runs', run.id, other.id]) expect(message).toContain(part);
    expect(() => findRun(workspace, '1999')).toThrowError(/no run “1999”/);
  });

  it('lists the newest first, a broken one with its problem', () => {
    const newer = createRun(workspace, run.config, new Date(Date.UTC(2027, 0, 1)));
    writeFileSync(run.paths.config, 'model: 3\n');
    const list = listRuns(workspace);
    expect(list.map(({ id }) => id)).toEqual([newer.id, run.id]);
    expect(list[1]?.problem?.code).toBe('CONFIG_INVALID');
  });

  const parts = ['config', 'events', 'samples', 'logs', 'results', 'base', 'excluded'] as const;
  it.runIf(process.platform === 'linux').each(parts)(
    'names a device in the place of %s, which may never end',
    async (part) => {
      const file = run.paths[part];
      rmSync(file, { force: true });
      symlinkSync('/dev/null', file);
      const code = part === 'config' ? 'CONFIG_UNREADABLE' : 'READ_FAILED';
      const failure = { code, place: { file } };
      const problem = listRuns(workspace)[0]?.problem;
      const info = await createRunReader(run.folder, () => undefined).read();
      for (const told of [problem, info?.problem]) if (told) expect(told).toMatchObject(failure);
      if (['config', 'events', 'logs', 'results'].includes(part)) {
        expect([problem, info?.problem]).toMatchObject([failure, failure]);
      }
      if (part === 'excluded') return expect(() => readExclusions(run)).toThrowError(/a device/);
      if (part === 'config') return expect(() => openRun(run.folder)).toThrowError(/a device/);
      if (part !== 'results') expect(() => openRunWriter(run)).toThrowError(/a device/);
    },
  );
});

describe('logs', () => {
  it('gives back events, samples, items and results as written', () => {
    const writer = openRunWriter(run);
    const samples = madeUpSamples(['one two three', 'zwölf Boxkämpfer 🦊', 'a\nb']);
    events.forEach((event) => writer.appendEvent(event));
    writer.appendSamples(samples);
    expect([...readItems(run)]).toEqual([]);
    const answered = { correct: true, answer: 'a\nb' };
    const item = { task: 't', metric: 'acc', id: '0', prompt: '…🦊', expected: 'a' };
    const items = ['0', '1'].map((id) => ({ ...item, id, base: answered, final: answered }));
    writer.writeItems(items);
    writer.writeResults(madeUpResults());
    writer.close();
    expect([...readItems(run)]).toEqual(items);
    expect(readEvents(run)).toEqual(events);
    expect([...readSamples(run)]).toEqual(samples);
    expect(readResults(run)).toEqual(madeUpResults());
  });

  it('is whole after being cut off anywhere, and continues', () => {
    write(...events);
    const whole = readFileSync(run.paths.events);
    // As if it had been killed before it looked where its logs end.
    const { logs } = run.paths;
    const ends = [...whole].flatMap((byte, i) => (byte === 10 ? [i + 1] : []));
    for (let length = 0; length <= whole.length; length += 97) {
      writeFileSync(run.paths.events, whole);
      truncateSync(run.paths.events, length);
      rmSync(logs);
      const left = ends.filter((end) => end <= length).length;
      expect(readEvents(run)).toEqual(events.slice(0, left));
      write(...events.slice(0, 2));
      expect(readEvents(run)).toEqual([...events.slice(0, left), ...events.slice(0, 2)]);
    }
  });

  it('drops a broken last line but not a broken line between', () => {
    write(...events.slice(0, 3));
    appendFileSync(run.paths.events, '\0\0\0\0\n');
    expect(readEvents(run)).toEqual(events.slice(0, 3));
    write(...events.slice(3, 5));
    expect(readEvents(run)).toEqual(events.slice(0, 5));

    const lines = readFileSync(run.paths.events, 'utf8').split('\n');
    lines[1] = '{"type":"train_st';
    writeFileSync(run.paths.events, lines.join('\n'));
    expect(placeOf(() => readEvents(run))).toBe(`RECORD_BROKEN ${run.paths.events}:2`);
  });

  it('reads logs longer than its buffer', () => {
    const long = 'x'.repeat(700_000);
    const samples = madeUpSamples([long, `${long}y`, long, 'end']);
    const writer = openRunWriter(run);
    writer.appendSamples(samples);
    writer.close();
    appendFileSync(run.paths.samples, long);
    expect([...readSamples(run)]).toEqual(samples);
    openRunWriter(run).close();
    expect(readFileSync(run.paths.samples, 'utf8').endsWith('}\n')).toBe(true);
    expect([...readSamples(run)]).toEqual(samples);
  });

  it('takes no more events once its folder was deleted', async () => {
    const writer = openRunWriter(run);
    const [first, second] = events;
    if (!first || !second) throw new Error('no events made up');
    writer.appendEvent(first);
    // The log itself is open: on Windows it would keep the folder.
    rmSync(run.paths.config);
    const { place } = await expectError('RUN_REMOVED', () => writer.appendEvent(second));
    expect(place).toEqual({ file: run.folder });
    writer.close();
    expect(readEvents(run)).toEqual([first]);
  });

  it('has no events and no results before there are any', () => {
    expect(readEvents(run)).toEqual([]);
    expect(readResults(run)).toBeUndefined();
  });
});

describe('the lock', () => {
  it('lets one writer in at a time', () => {
    const writer = openRunWriter(run);
    expect(placeOf(() => openRunWriter(run))).toBe(`RUN_LOCKED ${run.paths.lock}`);
    writer.close();
    openRunWriter(run).close();
    expect(existsSync(run.paths.lock)).toBe(false);
  });

  it('is open after its process was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const lock = { pid: child.pid, host: hostname(), started: null };
    writeFileSync(run.paths.lock, JSON.stringify(lock));
    expect(runState(run)).toBe('running');
    expect(() => openRunWriter(run)).toThrowError(`process ${child.pid}`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    expect(runState(run)).toBe('interrupted');
    openRunWriter(run).close();
  });

  it.runIf(process.platform === 'linux')('is open when its process id was given away', () => {
    const lock = { pid: process.pid, host: hostname(), started: 'another boot 1' };
    writeFileSync(run.paths.lock, JSON.stringify(lock));
    openRunWriter(run).close();
  });

  it('stays shut for a process of another machine', () => {
    const lock = { pid: process.pid, host: 'far-away', started: null };
    writeFileSync(run.paths.lock, JSON.stringify(lock));
    expect(() => openRunWriter(run)).toThrowError(/far-away/);
  });
});

describe('runState', () => {
  it('follows the last event', () => {
    const time = timeAt(0);
    const error = { code: 'A', message: 'm', remedy: 'r', place: {} };
    expect(runState(run)).toBe('interrupted');
    write({ type: 'run_stopped', time, step: 3 });
    expect(runState(run)).toBe('stopped');
    write({ type: 'run_started', time, step: 3, provider: 'cpu', versions: {} });
    expect(runState(run)).toBe('interrupted');
    write({ type: 'run_failed', time, step: 4, error });
    expect(runState(run)).toBe('failed');
    write({ type: 'run_finished', time, step: 9 });
    appendFileSync(run.paths.events, '{"type":"tor');
    expect(runState(run)).toBe('finished');
    const writer = openRunWriter(run);
    expect(runState(run)).toBe('running');
    writer.close();
  });
});
