/** A log that somebody changed is told by its line, by every reader, and is left as it is. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CfsError } from '../../../src/errors.js';
import { defined, formatPlace } from '../../../src/errors.js';
import { runEventSchema, type SampleRecord } from '../../../src/protocol/records.js';
import {
  createRun,
  listRuns,
  readEvents,
  readItems,
  readResults,
  readSamples,
  type RunFolder,
} from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { createRunReader } from '../../../src/runs/runInfo.js';
import { createTailReader } from '../../../src/runs/tail.js';
import { writeSealed } from '../../../src/sealed.js';
import { expectError } from '../../support/expectError.js';
import { jsonLines, temporaryFolder } from '../../support/tinyModel.js';
import { madeUpConfig, madeUpEvents, madeUpResults, madeUpSamples } from './madeUpRun.js';

const count = 12;
const events = madeUpEvents().slice(0, count);
const samples = madeUpSamples(Array.from({ length: count }, (_, i) => `Sample ${i} is ünique.`));
const answer = { correct: true, answer: 'a' };
const item = { task: 't', metric: 'acc', prompt: 'p', expected: 'a', base: answer, final: answer };

let workspace: string;
let run: RunFolder;

beforeEach(() => {
  workspace = temporaryFolder();
  run = createRun(workspace, madeUpConfig());
  const writer = openRunWriter(run);
  events.forEach((event) => writer.appendEvent(event));
  writer.appendSamples(samples);
  writer.appendKlSamples(samples);
  writer.writeItems(['0', '1', '2'].map((id) => ({ ...item, id })));
  writer.writeResults(madeUpResults());
  writer.close();
});

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}

function change(file: string, edit: (lines: string[]) => string[]): void {
  writeFileSync(file, edit(linesOf(file)).join('\n') + '\n');
}

/** Every file of the run but its lock, with what it holds. */
function content(): Map<string, string> {
  const names = readdirSync(run.folder, { recursive: true, encoding: 'utf8' });
  return new Map(names.map((name) => [name, readFileSync(join(run.folder, name), 'utf8')]));
}

async function tailed(file: string): Promise<{ problems: CfsError[]; records: number }> {
  const problems: CfsError[] = [];
  let records = 0;
  const reader = createTailReader(file, runEventSchema, (problem) => problems.push(problem));
  await reader.read((read) => (records += read.length));
  expect(reader.problem()).toBe(problems[0]);
  return { problems, records };
}

async function listed(): Promise<{ code: string; place: CfsError['place'] } | undefined> {
  const { problem } = defined(
    await createRunReader(run.folder, () => undefined).read(),
    'the run in the list',
  );
  return problem;
}

/** What is done to the lines, and the line that is told. */
const damages: Record<string, [edit: (lines: string[]) => string[], line: number]> = {
  'an edited line': [
    (lines) => lines.with(4, defined(lines[4], 'line').replace('2026', '2025')),
    5,
  ],
  'a line that is missing': [(lines) => lines.toSpliced(4, 1), 5],
  'a line that is there twice': [(lines) => lines.toSpliced(5, 0, defined(lines[4], 'line')), 6],
  'two lines that changed places': [
    (lines) => lines.with(4, defined(lines[5], 'line')).with(5, defined(lines[4], 'line')),
    5,
  ],
  'a first line that is missing': [(lines) => lines.slice(1), 1],
  'a line without its seal': [
    (lines) => lines.with(4, defined(lines[4], 'line').replace(/,"seal":"\w+"/, '')),
    5,
  ],
  'an edited last line': [
    (lines) => lines.with(-1, defined(lines.at(-1), 'line').replace('2026', '2025')),
    count,
  ],
  'an end that is missing': [(lines) => lines.slice(0, 8), 9],
  'half a line in the middle': [
    (lines) => lines.with(4, defined(lines[4], 'line').slice(0, 30)),
    5,
  ],
};

describe('a log of events with', () => {
  it.each(Object.entries(damages))('%s', async (_, [edit, line]) => {
    const file = run.paths.events;
    change(file, edit);
    const before = content();
    const place = { file, line };
    expect((await expectError('RECORD_BROKEN', () => readEvents(run))).place).toEqual(place);
    expect((await expectError('RECORD_BROKEN', () => openRunWriter(run))).place).toEqual(place);
    expect(content()).toEqual(before);
    expect(await listed()).toMatchObject({ code: 'RECORD_BROKEN', place });
    expect(listRuns(workspace)[0]?.problem).toMatchObject({ code: 'RECORD_BROKEN', place });
  });

  it('an edited line still shows all that can be read, with one problem', async () => {
    change(run.paths.events, (lines) => defined(damages['an edited line'], 'damage')[0](lines));
    const { problems, records } = await tailed(run.paths.events);
    expect(problems.map(({ place }) => place.line)).toEqual([5]);
    expect(records).toBe(count);
  });

  it('a whole log of another run in its place', async () => {
    const other = createRun(workspace, madeUpConfig());
    const writer = openRunWriter(other);
    madeUpEvents('sft').forEach((event) => writer.appendEvent(event));
    writer.close();
    writeFileSync(run.paths.events, readFileSync(other.paths.events));
    const { place } = await expectError('RECORD_BROKEN', () => readEvents(run));
    expect(place).toEqual({ file: run.paths.events, line: count });
  });
});

describe('samples', () => {
  const edited = (fields: Partial<SampleRecord>) => (lines: string[]) =>
    lines.with(3, JSON.stringify({ ...(JSON.parse(lines[3] ?? '') as object), ...fields }));
  const tokens = (id: number) => edited({ tokens: samples[3]?.tokens.with(0, id) });
  const cases: [string, (lines: string[]) => string[], number, string?][] = [
    ['a negative token id', tokens(-1), 4, 'tokens.0'],
    ['a fractional token id', tokens(1.5), 4, 'tokens.0'],
    ['another token id', tokens(501), 4],
    ['a negative number', edited({ index: -1 }), 4, 'index'],
    ['the number of another sample', edited({ index: 2 }), 4],
    ['a missing end', (lines) => lines.slice(0, 5), 6],
  ];

  it.each(cases)('with %s are told by line and field', async (_, edit, line, field) => {
    for (const file of [run.paths.samples, run.paths.klSamples]) {
      const whole = readFileSync(file);
      change(file, edit);
      const before = content();
      const place = { file, line, ...(field === undefined ? {} : { field }) };
      expect((await expectError('RECORD_BROKEN', () => openRunWriter(run))).place).toEqual(place);
      expect(content()).toEqual(before);
      writeFileSync(file, whole);
    }
  });

  it('are looked at for the list of runs', async () => {
    change(run.paths.samples, edited({ index: 2 }));
    expect(await listed()).toMatchObject({ place: { file: run.paths.samples, line: 4 } });
    change(run.paths.samples, (lines) => lines.slice(0, 2));
    expect(await listed()).toMatchObject({ place: { file: run.paths.samples, line: 3 } });
  });

  it('of an earlier version, without seals, are refused where a number comes twice', async () => {
    rmSync(run.paths.logs);
    const twice = [...samples.slice(0, 4), defined(samples[1], 'sample'), ...samples.slice(4)];
    writeFileSync(run.paths.samples, jsonLines(twice));
    const { message, place } = await expectError('RECORD_BROKEN', () => [...readSamples(run)]);
    expect(message).toContain('sample 1 is in this file twice');
    expect(place).toEqual({ file: run.paths.samples, line: 5, field: 'index' });
  });
});

describe('a log of an earlier version, without seals', () => {
  beforeEach(() => {
    rmSync(run.paths.logs);
    writeFileSync(run.paths.events, jsonLines(events));
  });

  it('is continued with seals, which hold it too', async () => {
    const writer = openRunWriter(run);
    writer.appendEvent(defined(events[0], 'event'));
    writer.close();
    expect(readEvents(run)).toEqual([...events, events[0]]);
    change(run.paths.events, (lines) => lines.toSpliced(4, 1));
    const { place } = await expectError('RECORD_BROKEN', () => readEvents(run));
    expect(place).toEqual({ file: run.paths.events, line: count });
  });

  it('ends in half a line after a crash, and nobody is told', async () => {
    appendFileSync(run.paths.events, '{"type":"ph');
    expect(await listed()).toBeUndefined();
    openRunWriter(run).close();
    expect(readEvents(run)).toEqual(events);
  });
});

it('what a crash leaves after the known end is no damage', async () => {
  for (const rest of ['{"type":"phase"', '{"type":"pha\n', '\0\0\0\n', '\0\0\0']) {
    appendFileSync(run.paths.events, rest);
    appendFileSync(run.paths.samples, rest);
    expect(await listed()).toBeUndefined();
    expect(listRuns(workspace)[0]?.problem).toBeUndefined();
    openRunWriter(run).close();
    expect(readEvents(run)).toEqual(events);
    expect([...readSamples(run)]).toEqual(samples);
  }
});

it('a checkpoint says where the logs end, so a killed run is held too', async () => {
  const writer = openRunWriter(run);
  const checkpoint = { type: 'checkpoint', step: 4, path: 'checkpoints/4', best: false } as const;
  writer.appendEvent({ ...checkpoint, time: defined(events[0], 'event').time });
  writer.appendEvent(defined(events[0], 'event'));
  change(run.paths.events, (lines) => lines.slice(0, count));
  const { place } = await expectError('RECORD_BROKEN', () => readEvents(run));
  expect(place).toEqual({ file: run.paths.events, line: count + 1 });
  writer.close();
});

it('the newest sound checkpoint says it too, where the file that says it was deleted', async () => {
  const writer = openRunWriter(run);
  const logs = writer.flush();
  writer.close();
  rmSync(run.paths.logs);
  const save = (step: string, state: object): string => {
    const file = join(run.paths.checkpoints, step, 'state.json');
    writeSealed(file, { format: 2, ...state });
    return file;
  };
  save('4', { logs: { ...logs, events: undefined } });
  save('8', { logs });
  writeFileSync(save('12', {}), '{');
  expect(readEvents(run)).toEqual(events);
  change(run.paths.events, (lines) => lines.slice(0, 5));
  const place = { file: run.paths.events, line: 6 };
  expect((await expectError('RECORD_BROKEN', () => readEvents(run))).place).toEqual(place);
  expect((await expectError('RECORD_BROKEN', () => openRunWriter(run))).place).toEqual(place);
  expect(await listed()).toMatchObject({ place });
  // Those of an earlier version do not say it.
  save('16', {});
  expect(readEvents(run)).toHaveLength(5);
});

it('items and results are held by seals', async () => {
  const { items, results, logs } = run.paths;
  expect([...readItems(run)]).toHaveLength(3);
  change(items, (lines) => lines.slice(0, 2));
  expect((await expectError('RECORD_BROKEN', () => [...readItems(run)])).place).toEqual({
    file: items,
    line: 3,
  });
  writeFileSync(results, readFileSync(results, 'utf8').replace('"steps": 600', '"steps": 900'));
  expect((await expectError('RECORD_BROKEN', () => readResults(run))).place.file).toBe(results);
  expect(await listed()).toMatchObject({ place: { file: results } });
  writeFileSync(logs, readFileSync(logs, 'utf8').replace('"lines": 12', '"lines": 1'));
  expect((await expectError('RECORD_BROKEN', () => readEvents(run))).place.file).toBe(logs);
  const info = await createRunReader(run.folder, () => undefined).read();
  expect(info).toMatchObject({ problem: { place: { file: logs } }, samples: count });
  expect(info?.step, 'what can be read is shown').toBeGreaterThan(0);
});

describe('one bad run does not break the list: it is there with its problem, where', () => {
  /** A link to itself cannot be read by an administrator either, unlike a file without permission. */
  const unreadable = (path: string): void => {
    rmSync(path, { recursive: true, force: true });
    symlinkSync(path, path);
  };
  const folderFor = (path: string): void => {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  };
  const cases: [string, keyof RunFolder['paths'], (path: string) => void, string][] = [
    ['run.yaml is a folder', 'config', folderFor, 'CONFIG_UNREADABLE'],
    ['run.yaml cannot be read', 'config', unreadable, 'CONFIG_UNREADABLE'],
    ['run.yaml is no YAML', 'config', (path) => writeFileSync(path, ': ['), 'CONFIG_INVALID'],
    ['the log is a folder', 'events', folderFor, 'READ_FAILED'],
    ['the log cannot be read', 'events', unreadable, 'READ_FAILED'],
    ['the lock is a folder', 'lock', folderFor, 'READ_FAILED'],
    ['the lock cannot be read', 'lock', unreadable, 'READ_FAILED'],
    ['the results are a folder', 'results', folderFor, 'READ_FAILED'],
    ['the results are no JSON', 'results', (path) => writeFileSync(path, '{'), 'RECORD_BROKEN'],
    [
      'the ends of the logs are no JSON',
      'logs',
      (path) => writeFileSync(path, ''),
      'RECORD_BROKEN',
    ],
  ];

  it.each(cases)('%s', async (_, name, damage, code) => {
    const other = createRun(workspace, madeUpConfig(), new Date(0));
    damage(run.paths[name]);
    const [bad, good] = listRuns(workspace);
    expect([bad?.id, good?.id]).toEqual([run.id, other.id]);
    expect(good?.problem).toBeUndefined();
    expect(bad?.problem?.code).toBe(code);
    expect(formatPlace(bad?.problem?.place ?? {})).toContain(run.paths[name]);
    const problem = await listed();
    expect(problem?.code).toBe(code);
    expect(formatPlace(problem?.place ?? {})).toContain(run.paths[name]);
  });

  it('its samples or checkpoints cannot be read', async () => {
    writeFileSync(run.paths.checkpoints, '');
    expect(await listed()).toMatchObject({ code: 'READ_FAILED' });
    rmSync(run.paths.checkpoints);
    folderFor(run.paths.samples);
    expect(await listed()).toMatchObject({ place: { file: run.paths.samples } });
  });

  it('all runs are in a folder that is none', async () => {
    rmSync(join(workspace, '.cfs'), { recursive: true });
    expect(existsSync(run.folder)).toBe(false);
    mkdirSync(join(workspace, '.cfs'));
    writeFileSync(join(workspace, '.cfs', 'runs'), '');
    await expectError('READ_FAILED', () => listRuns(workspace));
  });
});
