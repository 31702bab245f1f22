/** The list of runs follows what anybody does to the folders. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createRunLibrary } from '../../../src/host/runLibrary.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { createRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { jsonLines, temporaryFolder } from '../../support/tinyModel.js';
import { madeUpConfig, madeUpEvents, timeAt } from '../runs/madeUpRun.js';
import { createCleaner, keepLog, refusal } from './hostSupport.js';

const clean = createCleaner();

function setUp(workspace: string | undefined = temporaryFolder()) {
  const { log, lines } = keepLog();
  const library = clean(createRunLibrary({ workspace: () => workspace, log }));
  const soon = (check: () => void): Promise<void> => vi.waitFor(check, 15_000);
  const make = (second: number, name = 'poems'): RunFolder =>
    createRun(workspace ?? '', madeUpConfig('cfs', name), new Date(timeAt(second)));
  return { library, lines, soon, make };
}

const finish: RunEvent = { type: 'run_finished', time: timeAt(0), step: 3 };

test('runs appear, change and go, the newest first', async () => {
  const { library, soon, make } = setUp();
  expect(library.list()).toEqual([]);
  const [old, young] = [make(1), make(60)];
  await soon(() => expect(library.list().map(({ id }) => id)).toEqual([young.id, old.id]));
  let changes = 0;
  library.onDidChange(() => changes++);
  const writer = openRunWriter(old);
  await soon(() => expect(library.get(old.id)?.state).toBe('running'));
  writer.appendEvent(finish);
  writer.close();
  await soon(() => expect(library.get(old.id)).toMatchObject({ state: 'finished', step: 3 }));
  rmSync(young.folder, { recursive: true });
  await soon(() => expect(library.list().map(({ id }) => id)).toEqual([old.id]));
  expect(changes).toBeGreaterThan(0);
});

test('what is no run is not listed, and a broken one says what is wrong', async () => {
  const { library, soon, make } = setUp();
  const run = make(1);
  mkdirSync(join(dirname(run.folder), 'just-a-folder'));
  writeFileSync(join(dirname(run.folder), 'a-file'), '');
  writeFileSync(run.paths.config, 'model: [');
  await soon(() => expect(library.list()).toHaveLength(1));
  expect(library.get(run.id)?.problem?.code).toBe('CONFIG_INVALID');
  expect(refusal(() => library.open(run.id))).toBe('CONFIG_INVALID');
});

test('a run is followed from its past on, and anew when its folder is replaced', async () => {
  const { library, soon, make } = setUp();
  const run = make(1);
  const past = madeUpEvents();
  appendFileSync(run.paths.events, jsonLines(past));
  let taken: RunEvent[] = [];
  let firsts = 0;
  const follow = library.follow(run.id, (events, first) => {
    taken = first ? events : [...taken, ...events];
    if (first) firsts++;
  });
  await soon(() => expect(taken).toEqual(past));
  appendFileSync(run.paths.events, jsonLines([finish]));
  library.refresh();
  await soon(() => expect(taken).toEqual([...past, finish]));
  expect(firsts).toBe(1);
  writeFileSync(run.paths.events, jsonLines([finish]));
  await soon(() => expect(taken).toEqual([finish]));
  follow.dispose();
  appendFileSync(run.paths.events, jsonLines([finish]));
  await new Promise((resolve) => setTimeout(resolve, 800));
  expect(taken).toEqual([finish]);
});

test('without a folder there are no runs, and names lead nowhere else', () => {
  const { library } = setUp('/nowhere/at/all');
  expect(library.list()).toEqual([]);
  for (const name of ['../..', 'a/b', '..', '', 'missing']) {
    expect(refusal(() => library.open(name))).toBe('RUN_NOT_FOUND');
  }
});
