/** “Fine-Tune with CFS” on one dataset after another: each has a page of its own. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fineTune } from '../../../src/host/commands/fineTune.js';
import type { Parts } from '../../../src/host/commands/parts.js';
import { createPanelHost } from '../../../src/host/pages/panel.js';
import type { PanelHost, RunActions } from '../../../src/host/studio.js';
import { createRun } from '../../../src/runs/runFolder.js';
import { madeUpConfig } from '../runs/madeUpRun.js';
import { editor, makeStudio, type FakeStudio } from './pages/fakeEditor.js';

vi.mock('vscode', async () => (await import('./pages/fakeEditor.js')).editor);

let fake: FakeStudio;
let panel: PanelHost;
let parts: Parts;

beforeEach(() => {
  fake = makeStudio();
  panel = createPanelHost(fake.studio, {} as RunActions);
  editor.workspace.workspaceFolders = [{ uri: editor.Uri.file(fake.workspace) }];
  parts = {
    studio: { ...fake.studio, panel },
    diagnostics: { check: () => Promise.resolve({ errors: 0 }) },
  } as unknown as Parts;
});
afterEach(() => {
  editor.workspace.workspaceFolders = [];
  panel.dispose();
  fake.dispose();
});

const chooses = (name: string): Promise<void> =>
  fineTune(parts, editor.Uri.file(join(fake.workspace, name)));

it('begins anew for another dataset, with the base model chosen last', async () => {
  await chooses('a.jsonl');
  const set = { model: '/models/mine', method: 'sft', training: { steps: 5, learningRate: 0.1 } };
  panel.show('mix', { change: set });
  await chooses('b.jsonl');
  expect(panel.draft).toEqual({
    name: 'b',
    dataset: [{ path: join(fake.workspace, 'b.jsonl') }],
    evaluation: { holdOut: 0.05 },
    model: '/models/mine',
  });
});

it('keeps what was set where the same dataset is chosen again', async () => {
  await chooses('a.jsonl');
  panel.show('mix', { change: { method: 'sft' } });
  await chooses('a.jsonl');
  expect(panel.draft).toMatchObject({ name: 'a', method: 'sft' });
});

it('has nothing of a run whose settings the page held', async () => {
  const { config } = createRun(fake.workspace, madeUpConfig('sft', 'before'));
  panel.show('mix', { draft: config });
  await chooses('b.jsonl');
  expect(Object.keys(panel.draft).toSorted()).toEqual(['dataset', 'evaluation', 'model', 'name']);
});
