/** What a run was made from is noted once and compared ever after. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunInput } from '../../../src/protocol/identity.js';
import { readRunConfig } from '../../../src/runs/config.js';
import type { RunConfig } from '../../../src/runs/configSchema.js';
import { CfsError } from '../../../src/errors.js';
import { changeRule, whenChanged } from '../../../src/runs/fieldRules.js';
import { flattenFields } from '../../../src/runs/fields.js';
import { openIdentity, readIdentity } from '../../../src/runs/identity.js';
import { createRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder, writeRunYaml } from '../../support/tinyModel.js';

function newRun(): RunFolder {
  const workspace = writeRunYaml(temporaryFolder());
  return createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
}

const rows = (hash: string, count: number): RunInput => ({
  name: 'dataset',
  hash: hash.repeat(64),
  size: `${count} rows`,
});

function changeSettings(run: RunFolder, change: (config: RunConfig) => void): RunFolder {
  const config = structuredClone(run.config);
  change(config);
  return { ...run, config };
}

it('compares a group once it is known, and names all that differs', async () => {
  const run = newRun();
  openIdentity(run, { isNew: true }).settle([{ group: 'dataset', inputs: [rows('a', 40)] }]);
  const again = openIdentity(run, { isNew: false });
  again.settle([{ group: 'dataset', inputs: [rows('a', 40)] }]);
  const model = { name: 'config.json', hash: 'c'.repeat(64) };
  again.settle([{ group: 'model', inputs: [model] }]);
  const tokenizer = { name: 'tokenizer.json', words: 'model file tokenizer.json' };
  const { message, remedy } = await expectError('RUN_CHANGED', () =>
    again.settle([
      { group: 'model', inputs: [{ ...tokenizer, hash: 'd'.repeat(64), files: ['/m/t.json'] }] },
      { group: 'dataset', inputs: [{ ...rows('b', 41), files: ['/data/a.csv', '/data/b.csv'] }] },
    ]),
  );
  expect(message.split('\n')).toEqual([
    'This run was made with something else:',
    '  - model file “config.json”: was SHA-256 cccccccc…, is now not there',
    '  - model file tokenizer.json (/m/t.json): was not there, is now SHA-256 dddddddd…',
    '  - dataset (/data/a.csv, /data/b.csv): was 40 rows (SHA-256 aaaaaaaa…), is now 41 rows (SHA-256 bbbbbbbb…), read with the changed model',
  ]);
  expect(remedy).toContain(`cfs-studio run ${run.paths.config}`);
  // What was refused is not noted.
  expect(readIdentity(run)?.groups).toEqual([
    { group: 'dataset', inputs: [rows('a', 40)] },
    { group: 'model', inputs: [model] },
  ]);
});

it('knows a group that was empty', async () => {
  const run = newRun();
  openIdentity(run, { isNew: true }).settle([{ group: 'tasks', inputs: [] }]);
  const again = openIdentity(run, { isNew: false });
  await expectError('RUN_CHANGED', () =>
    again.settle([{ group: 'tasks', inputs: [{ name: 'new.yaml', hash: 'e'.repeat(64) }] }]),
  );
});

const refuse = (run: RunFolder) =>
  expectError('RUN_CHANGED', () => openIdentity(run, { isNew: false }).compare([]));

it('refuses settings that decide what the run is, those of training once it trains', async () => {
  const run = newRun();
  const identity = openIdentity(run, { isNew: true });
  const hotter = changeSettings(run, (config) => {
    config.training.learningRate = 0.01;
    config.generation.temperature = 2;
  });
  const early = await refuse(hotter);
  expect(early.message).toContain('generation.temperature: was 1, is now 2');
  expect(early.message).not.toContain('learningRate');
  identity.settle([{ group: 'tasks', inputs: [] }]);
  const other = changeSettings(run, (config) => {
    config.training.learningRate = 0.01;
    config.mix.lambda = 0.5;
    config.generation.topK = 40;
  });
  const { message } = await refuse(other);
  expect(message).toContain('training.learningRate: training began with 0.003, is now 0.01');
  expect(message).toContain('mix.lambda: training began with 1, is now 0.5');
  expect(message).toContain('generation.topK: was not set, is now 40');
});

it('refuses settings and inputs at once, and changes nothing', async () => {
  const run = newRun();
  openIdentity(run, { isNew: true }).settle([{ group: 'dataset', inputs: [rows('a', 40)] }]);
  const before = readFileSync(run.paths.identity, 'utf8');
  const other = changeSettings(run, (config) => {
    config.name = 'other';
    config.seed = 6;
    config.generation.topK = 40;
  });
  const identity = openIdentity(other, { isNew: false });
  // What else differs is found by reading the data as the run read it.
  expect(identity.madeWith).toEqual({ ...run.config, name: 'other' });
  const found = [
    { group: 'dataset' as const, inputs: [rows('b', 41)] },
    // Not known yet.
    { group: 'tasks' as const, inputs: [rows('c', 1)] },
  ];
  const { message } = await expectError('RUN_CHANGED', () =>
    identity.compare(found, ['training.steps is now 3']),
  );
  expect(message.match(/^ {2}- [^ :]+/gm)).toEqual([
    '  - seed',
    '  - generation.topK',
    '  - training.steps',
    '  - dataset',
  ]);
  await expectError('RUN_CHANGED', () => identity.settle(found));
  expect(readFileSync(run.paths.identity, 'utf8')).toBe(before);
});

it('says why an input cannot be compared', async () => {
  const run = newRun();
  openIdentity(run, { isNew: true }).settle([{ group: 'dataset', inputs: [rows('a', 40)] }]);
  const problem = new CfsError({
    code: 'DATASET_UNREADABLE',
    message: 'It is gone.',
    remedy: 'Put it back.',
    place: { file: '/data.csv' },
  });
  const { message } = await expectError('RUN_CHANGED', () =>
    openIdentity(run, { isNew: false }).compare([{ group: 'dataset', inputs: [], problem }]),
  );
  expect(message).toContain(
    'dataset (/data.csv): was 40 rows (SHA-256 aaaaaaaa…), cannot be read now (DATASET_UNREADABLE).',
  );
});

it('allows and lists those that do not, and compares with them the next time', () => {
  const run = newRun();
  openIdentity(run, { isNew: true });
  const longer = changeSettings(run, (config) => {
    config.name = 'longer';
    config.training.steps = 20;
    config.training.maxTokensPerMicroBatch = 96;
  });
  const identity = openIdentity(longer, { isNew: false });
  expect(identity.changedSettings.map(({ inWords }) => inWords)).toEqual([
    'name: was "tiny", is now "longer"',
    'training.steps: was 12, is now 20',
    'training.maxTokensPerMicroBatch: was 192, is now 96',
  ]);
  // Until it goes on with them, the run is what it was.
  expect(openIdentity(longer, { isNew: false }).changedSettings).toHaveLength(3);
  identity.settle([]);
  expect(openIdentity(longer, { isNew: false }).changedSettings).toEqual([]);
});

it('says of the fields that make a run longer, and of no others, what follows', () => {
  const fields = Object.keys(flattenFields(newRun().config)).filter(whenChanged);
  expect(fields).toEqual(['training.epochs', 'training.steps']);
  for (const field of fields) expect(changeRule(field)).toBe('always');
});

it('does not mind where the files are, nor a field that came with a later version', () => {
  const run = newRun();
  openIdentity(run, { isNew: true });
  const moved = changeSettings(run, (config) => {
    config.model = '/elsewhere/model';
    config.evaluation.tasks = config.evaluation.tasks.map((task) => `/elsewhere${task}`);
  });
  expect(openIdentity(moved, { isNew: false }).changedSettings).toEqual([]);
  const before = changeSettings(run, (config) => {
    delete (config.evaluation as { bestBy?: string }).bestBy;
  });
  openIdentity(before, { isNew: true });
  expect(openIdentity(run, { isNew: false }).changedSettings).toEqual([]);
});

it('refuses a file that was edited or removed', async () => {
  const run = newRun();
  openIdentity(run, { isNew: true });
  const text = readFileSync(run.paths.identity, 'utf8');
  writeFileSync(run.paths.identity, text.replace('0.003', '0.004'));
  const open = () => openIdentity(run, { isNew: false });
  expect((await expectError('RECORD_BROKEN', open)).place.file).toBe(run.paths.identity);
  rmSync(run.paths.identity);
  expect((await expectError('RECORD_BROKEN', open)).message).toContain('is missing');
});

it('is one hash for checkpoints, whatever the settings that may change', () => {
  const run = newRun();
  const first = openIdentity(run, { isNew: true });
  const empty = first.digest();
  first.settle([{ group: 'dataset', inputs: [rows('a', 40)] }]);
  expect(first.digest()).not.toBe(empty);
  const longer = changeSettings(run, (config) => (config.training.steps = 20));
  expect(openIdentity(longer, { isNew: false }).digest()).toBe(first.digest());
});
