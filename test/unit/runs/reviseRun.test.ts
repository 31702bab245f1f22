/** Other settings for a run whose samples wait: those that leave the samples right, and only then. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunConfig } from '../../../src/runs/configSchema.js';
import { openIdentity } from '../../../src/runs/identity.js';
import { reviseRun, settingChanges } from '../../../src/runs/reviseRun.js';
import { createRun, openRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { madeUpConfig, madeUpEvents } from './madeUpRun.js';

let workspace: string;
let run: RunFolder;
let faster: RunConfig;

beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'cfs-runs-'));
  const { id, folder } = createRun(workspace, madeUpConfig());
  run = { ...openRun(folder), id };
  faster = { ...run.config, training: { ...run.config.training, learningRate: 0.123 } };
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

const refused = (code: string) => expect.objectContaining({ code }) as Error;

describe('settings that differ', () => {
  it('are none where defaults are written out', () => {
    expect(settingChanges(run.config, openRun(run.folder).config)).toEqual({
      settings: [],
      samples: [],
    });
  });

  it('are told apart by whether they make other samples', () => {
    const { generation, dataset } = run.config;
    const changed = {
      ...faster,
      seed: run.config.seed + 1,
      generation: { ...generation, topK: 5 },
      dataset: [...dataset, { path: '/data/more.csv' }],
    };
    const { settings, samples } = settingChanges(run.config, changed);
    expect(settings.toSorted()).toEqual(
      ['dataset', 'generation.topK', 'seed', 'training.learningRate'].toSorted(),
    );
    expect(samples.toSorted()).toEqual(['dataset', 'generation.topK', 'seed'].toSorted());
  });
});

describe('a run that has not begun to train', () => {
  it('takes settings that leave its samples right, until its base model is measured', () => {
    openIdentity(run, { isNew: true }).settle([{ group: 'dataset', inputs: [] }]);
    reviseRun(run, faster);
    expect(openRun(run.folder).config).toEqual(faster);
    expect(existsSync(run.paths.lock)).toBe(false);

    const revised = { ...openRun(run.folder), id: run.id };
    const identity = openIdentity(revised, { isNew: false });
    expect(identity.changedSettings.map(({ inWords }) => inWords)).toEqual([
      expect.stringMatching(/^training\.learningRate: was .*, is now 0\.123$/),
    ]);
    identity.settle([{ group: 'tasks', inputs: [] }]);
    expect(() => reviseRun(revised, run.config)).toThrow(refused('RUN_SETTLED'));
  });

  it('keeps its file as people wrote it where nothing differs', () => {
    const text = `# mine\n${readFileSync(run.paths.config, 'utf8')}`;
    writeFileSync(run.paths.config, text);
    reviseRun(run, openRun(run.folder).config);
    expect(readFileSync(run.paths.config, 'utf8')).toBe(text);
  });

  it('refuses what its samples were not generated with', () => {
    const { generation } = run.config;
    const hotter = { ...faster, generation: { ...generation, temperature: 3 } };
    expect(() => reviseRun(run, hotter)).toThrow(refused('RUN_SETTLED'));
    expect(() => reviseRun(run, hotter)).toThrow('generation.temperature');
    expect(openRun(run.folder).config).toEqual(run.config);
  });
});

it('refuses other settings while a run is under way and once it has trained', () => {
  const writer = openRunWriter(run);
  expect(() => reviseRun(run, faster)).toThrow(refused('RUN_LOCKED'));
  for (const event of madeUpEvents()) writer.appendEvent(event);
  writer.close();
  expect(() => reviseRun(run, faster)).toThrow(refused('RUN_SETTLED'));
  expect(openRun(run.folder).config).toEqual(run.config);
});
