/** What people may not do to a run, or not yet. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createRunActions } from '../../../src/host/runActions.js';
import { requireWorkspace } from '../../../src/host/workspace.js';
import { renderReport, writeReport } from '../../../src/runs/report.js';
import { createRun, openRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
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

it('opens a report that is drawn from the data of the run, not one that lay in its folder', async () => {
  writeFileSync(run.paths.report, '<script src="https://example.org/x.js"></script>');
  const { request } = fake.parts;
  request.mockImplementation((...asked) => {
    expect(asked.slice(0, 2)).toEqual(['drawReport', { folder: run.folder }]);
    writeReport(openRun(run.folder));
    return Promise.resolve({});
  });
  const opened: string[] = [];
  editor.env.openExternal.mockImplementation(({ fsPath }) => {
    opened.push(readFileSync(fsPath, 'utf8'));
    return Promise.resolve(true);
  });
  await createRunActions(fake.studio).report(run.id);
  expect(opened).toEqual([renderReport({ config: run.config, events: [], samples: [] })]);
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
