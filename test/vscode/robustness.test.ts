/**
 * What happens when things go wrong around a run, seen from the editor: two windows, killed
 * processes, folders that vanish, files broken by hand, windows that close, and folders that are not
 * trusted. Each test has a workspace of its own.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runState } from '../../src/runs/runFolder.js';
import {
  addRun,
  chooseOfRun,
  clickMenuEntry,
  enginePid,
  eventsOf,
  isAlive,
  makeWorkspace,
  openRunMenu,
  processes,
  programsOf,
  runRow,
  writeSamples,
  writeSteps,
} from '../support/vscodeRuns.js';
import { packagedExtension } from './packaged.js';
import { openWorkbench, type Workbench } from './workbench.js';

/** Longer than any run here takes on a busy machine; a run that is to be stopped never ends. */
const endless = 100_000;
const timeout = 60_000;

let workbench: Workbench;
let workspace: string;

const eventually = <T>(look: () => T) => expect.poll(look, { timeout });

async function openRuns(window: Workbench = workbench): Promise<void> {
  await window.open(workspace);
  await window.showView('CFS Studio');
}

beforeEach(() => {
  workspace = makeWorkspace();
});
afterEach(() => {
  // Engines may still write their last checkpoint.
  rmSync(workspace, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
});

describe('in a trusted folder', () => {
  beforeAll(async () => {
    const extensions = [packagedExtension()];
    const folder = makeWorkspace();
    workbench = await openWorkbench({ folder, extensions });
    rmSync(folder, { recursive: true, force: true });
  });
  afterAll(() => workbench.close());
  afterEach(async () => {
    // The window of the next test must not hear of this one's runs.
    await workbench.page.goto('about:blank');
    await eventually(() => programsOf(workbench)).toEqual([]);
  });

  it('shows a run of another window, which alone can stop it', async () => {
    const run = addRun(workspace, 'shared', endless);
    await openRuns();
    const other = await workbench.newWindow(workspace);
    await other.showView('CFS Studio');

    // The menu was opened before the run began: too late is told in words.
    expect(await openRunMenu(other, 'shared')).toContain('Resume Run');
    await chooseOfRun(workbench, 'shared', 'Resume Run');
    await eventually(() => runState(run)).toBe('running');
    await clickMenuEntry(other, 'Resume Run');
    const told = other.notification(/“shared” is being run by another window or a terminal\./);
    await told.first().waitFor();
    await other.command('Notifications: Clear All Notifications');

    await runRow(workbench, 'shared', 'Running').waitFor();
    await runRow(other, 'shared', 'Running').waitFor();
    const offered = await openRunMenu(other, 'shared');
    expect(offered).not.toContain('Resume Run');
    expect(offered).not.toContain('Delete Run…');
    await clickMenuEntry(other, 'Stop Run');
    await told.first().waitFor();
    expect(programsOf(workbench)).toEqual(['engine']);

    const pid = enginePid(run);
    await chooseOfRun(workbench, 'shared', 'Stop Run');
    await runRow(workbench, 'shared', 'Stopped').waitFor({ timeout });
    await runRow(other, 'shared', 'Stopped').waitFor();
    expect(isAlive(pid)).toBe(false);
    // The other window had queued nothing that would begin now.
    await eventually(() => programsOf(workbench)).toEqual([]);
    expect(await openRunMenu(other, 'shared')).toEqual(
      expect.arrayContaining(['Resume Run', 'Delete Run…']),
    );
    await other.close();
  });

  it('offers to resume a run whose engine was killed, and it runs to its end', async () => {
    const run = addRun(workspace, 'killed', 60);
    await openRuns();
    await chooseOfRun(workbench, 'killed', 'Resume Run');
    await eventually(() => eventsOf(run, 'checkpoint').length).toBeGreaterThan(0);
    process.kill(enginePid(run), 'SIGKILL');

    const told = workbench.notification(/“killed” was interrupted\./);
    await told.first().waitFor();
    await runRow(workbench, 'killed', 'Interrupted').waitFor();
    await told.first().getByRole('button', { name: 'Resume', exact: true }).click();
    await runRow(workbench, 'killed', 'Finished').waitFor({ timeout });
    const [, resumed] = eventsOf(run, 'run_started');
    expect(resumed?.step).toBeGreaterThanOrEqual(10);
    expect(eventsOf(run, 'train_step').at(-1)?.step).toBe(60);
  });

  it('forgets a run folder that is deleted while it is shown', async () => {
    const [kept, gone] = [addRun(workspace, 'kept', 5), addRun(workspace, 'gone', 5)];
    for (const run of [kept, gone]) {
      writeSamples(run, 30, 40);
      writeSteps(run, 5);
    }
    await openRuns();
    await chooseOfRun(workbench, 'gone', 'Show Forgetting Curves');
    await workbench.webview(/^gone$/);
    await chooseOfRun(workbench, 'gone', 'Inspect Samples');
    const inspector = await workbench.webview(/gone 0:/);

    expect(await seenAnywhere(workbench, /\bgone\b/)).not.toEqual([]);

    rmSync(gone.folder, { recursive: true });
    await runRow(workbench, 'gone').waitFor({ state: 'detached' });
    await inspector
      .getByText(/kept 0:/)
      .first()
      .waitFor();
    await eventually(() => seenAnywhere(workbench, /\bgone\b/)).toEqual([]);
    await runRow(workbench, 'kept', 'Stopped').waitFor();
    expect(await shownErrors(workbench)).toEqual([]);
  });

  it('tells that a run failed whose folder was deleted while it ran', async () => {
    const run = addRun(workspace, 'deleted', endless);
    await openRuns();
    await chooseOfRun(workbench, 'deleted', 'Resume Run');
    await eventually(() => eventsOf(run, 'checkpoint').length).toBeGreaterThan(0);
    // The engine writes into it meanwhile.
    rmSync(run.folder, { recursive: true, maxRetries: 20, retryDelay: 20 });
    await workbench
      .notification(/“?deleted.* failed\. /)
      .first()
      .waitFor({ timeout });
    await eventually(() => programsOf(workbench)).toEqual([]);
    await eventually(() => runRow(workbench, 'deleted').count()).toBe(0);

    // Nothing stands in the way of the next run.
    const next = addRun(workspace, 'next', 2);
    await chooseOfRun(workbench, 'next', 'Resume Run');
    await runRow(workbench, 'next', 'Finished').waitFor({ timeout });
    expect(runState(next)).toBe('finished');
  });

  it('shows what is wrong with a run.yaml broken by hand', async () => {
    const broken = addRun(workspace, 'broken', 2);
    addRun(workspace, 'sound', 2);
    await openRuns();
    await runRow(workbench, 'broken').waitFor();
    const text = readFileSync(broken.paths.config, 'utf8');
    writeFileSync(broken.paths.config, text.replace('method: sft', 'method: magic'));
    const row = runRow(workbench, broken.id);
    await row.waitFor();
    expect(await row.getAttribute('aria-label')).toMatch(/run\.yaml/);
    await chooseOfRun(workbench, broken.id, 'Resume Run');
    await workbench
      .notification(/method/)
      .first()
      .waitFor();

    await chooseOfRun(workbench, 'sound', 'Resume Run');
    await runRow(workbench, 'sound', 'Finished').waitFor({ timeout });
    writeFileSync(broken.paths.config, text);
    await runRow(workbench, 'broken', 'Interrupted').waitFor();
  });

  it('finds a run again whose window was closed', async () => {
    const run = addRun(workspace, 'closed', endless);
    await openRuns();
    await chooseOfRun(workbench, 'closed', 'Resume Run');
    await eventually(() => eventsOf(run, 'train_step').length).toBeGreaterThan(12);
    const pid = enginePid(run);
    await workbench.page.goto('about:blank');
    await eventually(() => isAlive(pid)).toBe(false);
    const checkpoint = eventsOf(run, 'checkpoint').at(-1)?.step;
    expect(checkpoint).toBe(eventsOf(run, 'train_step').at(-1)?.step);

    await openRuns();
    const told = workbench.notification(/“closed” was interrupted\. It can be resumed/).first();
    await told.getByRole('button', { name: 'Resume', exact: true }).click();
    await runRow(workbench, 'closed', 'Running').waitFor();
    await eventually(() => eventsOf(run, 'run_started').at(-1)?.step).toBe(checkpoint);
    await chooseOfRun(workbench, 'closed', 'Stop Run');
    await runRow(workbench, 'closed', 'Stopped').waitFor({ timeout });
  });

  it('finds a run again whose extension host was killed', async () => {
    const run = addRun(workspace, 'orphan', endless);
    await openRuns();
    await chooseOfRun(workbench, 'orphan', 'Resume Run');
    await eventually(() => eventsOf(run, 'train_step').length).toBeGreaterThan(12);
    const pid = enginePid(run);
    const host = processes().find((each) => each.pid === pid)?.parent ?? 0;
    expect(processes().find((each) => each.pid === host)?.command).toContain('extensionHost');
    process.kill(host, 'SIGKILL');
    await eventually(() => isAlive(pid)).toBe(false);
    expect(eventsOf(run, 'checkpoint').at(-1)?.step).toBe(eventsOf(run, 'train_step').at(-1)?.step);

    await openRuns();
    const told = workbench.notification(/“orphan” was interrupted\. It can be resumed/).first();
    await told.getByRole('button', { name: 'Resume', exact: true }).click();
    await runRow(workbench, 'orphan', 'Running').waitFor();
  });

  it('queues what is started while another run is under way', async () => {
    addRun(workspace, 'first', endless);
    const second = addRun(workspace, 'second', endless);
    const third = addRun(workspace, 'third', endless);
    await openRuns();
    for (const name of ['first', 'second', 'third']) {
      await chooseOfRun(workbench, name, 'Resume Run');
    }
    await runRow(workbench, 'second', 'Waiting').waitFor();
    await runRow(workbench, 'third', 'Waiting').waitFor();
    await chooseOfRun(workbench, 'third', 'Stop Run');
    await runRow(workbench, 'third', 'Interrupted').waitFor();
    await runRow(workbench, 'first', 'Running').waitFor();
    expect(eventsOf(second, 'run_started')).toEqual([]);
    expect(programsOf(workbench)).toEqual(['engine']);

    await chooseOfRun(workbench, 'first', 'Stop Run');
    await runRow(workbench, 'first', 'Stopped').waitFor({ timeout });
    await runRow(workbench, 'second', 'Running').waitFor();
    await eventually(() => eventsOf(second, 'train_step').length).toBeGreaterThan(0);
    await chooseOfRun(workbench, 'second', 'Stop Run');
    await runRow(workbench, 'second', 'Stopped').waitFor({ timeout });
    expect(eventsOf(third, 'run_started')).toEqual([]);
  });
});

describe('in a folder that is not trusted', () => {
  beforeAll(async () => {
    const folder = makeWorkspace();
    workbench = await openWorkbench({
      folder,
      extensions: [packagedExtension()],
      workspaceTrust: true,
      settings: { 'security.workspace.trust.startupPrompt': 'never' },
    });
    rmSync(folder, { recursive: true, force: true });
  });
  afterAll(() => workbench.close());

  it('runs nothing and says why, until the folder is trusted', async () => {
    addRun(workspace, 'waiting', endless);
    await openRuns();
    const { page } = workbench;
    const why = /CFS Studio is disabled because this folder is not trusted/;
    await page.locator('.sidebar').getByText(why).first().waitFor();
    expect(await runRow(workbench, 'waiting').count()).toBe(0);
    const listed = await workbench.commands('CFS: ');
    expect(listed.filter((title) => title.startsWith('CFS: '))).toEqual([
      'CFS: Open Demo Workspace',
    ]);
    await workbench.showView('Explorer');
    await workbench.chooseInExplorerMenu('data.jsonl', 'Fine-tune with CFS');
    const told = workbench.notification(why).first();
    await told.getByRole('button', { name: 'Manage Workspace Trust' }).waitFor();
    expect(programsOf(workbench)).toEqual([]);

    await told.getByRole('button', { name: 'Manage Workspace Trust' }).click();
    await page.getByRole('button', { name: 'Trust', exact: true }).first().click();
    // The editor of trust lies over everything.
    await page
      .locator('.monaco-modal-editor-block')
      .getByRole('button', { name: /^Close/ })
      .click();
    await workbench.showView('CFS Studio');
    await runRow(workbench, 'waiting', 'Interrupted').waitFor();
    await workbench.command('CFS: Check Environment');
    await eventually(() => programsOf(workbench)).toEqual(['preview']);
  });
});

/** The texts that say it in the trees, notifications and pages of the window. */
async function seenAnywhere({ page }: Workbench, text: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const frame of page.frames()) {
    // A frame that is gone by now shows nothing.
    const body = await frame.evaluate(() => document.body.innerText).catch(() => '');
    found.push(...body.split('\n').filter((line) => text.test(line)));
  }
  return found;
}

async function shownErrors({ page }: Workbench): Promise<string[]> {
  const errors = page.locator('.notification-list-item:has(.codicon-error), .monaco-dialog-box');
  return errors.allInnerTexts();
}
