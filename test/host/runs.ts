/** Runs by their commands alone, as a keyboard shortcut or another extension would call them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import { runConfigSchema } from '../../src/runs/configSchema.js';
import { createRun, readEvents, runState } from '../../src/runs/runFolder.js';
import { eventually } from '../support/eventually.js';

const workspace = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';

describe('a run', () => {
  // Long enough to be stopped on any machine; evaluations are left out.
  const run = createRun(
    workspace,
    runConfigSchema.parse({
      name: 'by commands',
      model: join(workspace, 'model'),
      dataset: join(workspace, 'dataset.jsonl'),
      method: 'sft',
      provider: 'cpu',
      training: { learningRate: 1e-3, steps: 60, batchRows: 4, checkpointEvery: 1000 },
      evaluation: { every: 0, klSamples: 0, full: false },
    }),
  );
  const steps = (): number => readEvents(run).filter(({ type }) => type === 'train_step').length;
  const command = (id: string): Thenable<unknown> => vscode.commands.executeCommand(id, run.id);

  it('begins when it is resumed, without keeping who asked waiting', async () => {
    await command('cfs.resumeRun');
    await eventually(() => assert.ok(steps() > 2));
    assert.equal(runState(run), 'running');
  });

  it('stops after a checkpoint', async () => {
    await command('cfs.stopRun');
    assert.equal(runState(run), 'stopped');
    assert.deepEqual(readdirSync(run.paths.checkpoints), [String(steps())]);
    assert.ok(steps() < 60);
  });

  it('resumes from there, and ends', async () => {
    const before = steps();
    await command('cfs.resumeRun');
    await eventually(() => assert.equal(runState(run), 'finished'), 40_000);
    const numbers = readEvents(run).flatMap((event) =>
      event.type === 'train_step' ? event.step : [],
    );
    assert.deepEqual(
      numbers,
      Array.from({ length: 60 }, (_, i) => i + 1),
      `no step is left out or done twice, stopped after ${before}`,
    );
    assert.ok(existsSync(run.paths.report));
  });

  it('shows its curves in the panel', async () => {
    await command('cfs.showCurves');
    await eventually(() => {
      const { activeTab } = vscode.window.tabGroups.activeTabGroup;
      assert.equal(activeTab?.label, 'CFS Studio');
      assert.ok(activeTab.input instanceof vscode.TabInputWebview);
      assert.match(activeTab.input.viewType, /cfs\.panel$/);
    });
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  it('leaves the settings of the person and of the folder as they were', () => {
    const settings = vscode.workspace.getConfiguration('cfs');
    for (const name of ['baseModel', 'provider', 'nodePath']) {
      const found = settings.inspect(name);
      const set = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue];
      assert.deepEqual(set, [undefined, undefined, undefined], name);
    }
    assert.equal(existsSync(join(workspace, '.vscode')), false);
  });
});
