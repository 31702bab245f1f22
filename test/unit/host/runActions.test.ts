/** What people may not do to a run, or not yet. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createRunActions } from '../../../src/host/runActions.js';
import { requireWorkspace } from '../../../src/host/workspace.js';
import { createRun, openRunWriter, type RunFolder } from '../../../src/runs/runFolder.js';
import { expectError } from '../../support/expectError.js';
import { madeUpConfig } from '../runs/madeUpRun.js';
import { editor, makeStudio, type FakeStudio } from './pages/fakeEditor.js';

vi.mock('vscode', async () => (await import('./pages/fakeEditor.js')).editor);

let fake: FakeStudio;
let run: RunFolder;

beforeEach(() => {
  fake = makeStudio();
  run = createRun(fake.workspace, madeUpConfig());
});
afterEach(() => fake.dispose());

it('shows no report before there is one', async () => {
  const error = await expectError('REPORT_MISSING', () =>
    createRunActions(fake.studio).report(run.id),
  );
  expect(error.message).toContain(run.config.name);
});

it('deletes no run that is running, here or elsewhere, or queued', async () => {
  const { service } = fake.studio;
  const refuse = (part: Pick<typeof service, 'current' | 'queue'>) =>
    expectError('RUN_BUSY', () => {
      const actions = createRunActions({ ...fake.studio, service: Object.assign(service, part) });
      return actions.delete(run.id);
    });
  await refuse({ current: run.id, queue: [] });
  await refuse({ current: undefined, queue: [run.id] });
  const writer = openRunWriter(run);
  await refuse({ current: undefined, queue: [] });
  writer.close();
});

it('needs a folder to keep runs in', async () => {
  expect(editor.workspace.workspaceFolders).toEqual([]);
  await expectError('WORKSPACE_MISSING', requireWorkspace);
});
