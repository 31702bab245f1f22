/** What people do to a run, wherever they ask for it: in the tree, on a page or in the palette. */
import { existsSync } from 'node:fs';
import * as vscode from 'vscode';
import { CfsError } from '../errors.js';
import { isRunning, runPaths } from '../runs/runFolder.js';
import { describeFailure } from './log.js';
import { isOnThisDesktop } from './desktop.js';
import { showReport } from './reportView.js';
import type { RunActions, Studio } from './studio.js';
import { confirm } from './ui.js';

/** The log of a long run takes a while to read. */
const drawTimeoutMs = 120_000;

export function createRunActions(studio: Studio): RunActions {
  const { library, service } = studio;
  return {
    stop: (runId) => service.stop(runId),
    resume: (runId) => service.resume(runId),
    report: async (runId) => {
      const { config, folder, paths } = library.open(runId);
      if (!existsSync(paths.report)) throw noReport(config.name);
      // The file may be anybody's, in a folder that was cloned: what is shown is drawn here.
      await studio.preview.request('drawReport', { folder }, { timeoutMs: drawTimeoutMs });
      await showReport(paths.report, config.name);
    },
    reveal: (runId) => revealFolder(folderOf(studio, runId)),
    configure: (runId) => {
      const { config } = library.open(runId);
      studio.panel.show('mix', { draft: config });
    },
    delete: (runId) => deleteRun(studio, runId),
  };
}

/** In the system's file manager; in the editor's own where that would open on another machine. */
async function revealFolder(folder: string): Promise<void> {
  const command = isOnThisDesktop() ? 'revealFileInOS' : 'revealInExplorer';
  await vscode.commands.executeCommand(command, vscode.Uri.file(folder));
}

async function deleteRun(studio: Studio, runId: string): Promise<void> {
  refuseBusy(studio, runId);
  const folder = vscode.Uri.file(folderOf(studio, runId));
  const name = studio.library.get(runId)?.name ?? runId;
  const toTrash = isOnThisDesktop();
  const really = await confirm(
    vscode.l10n.t('Delete the run “{0}”?', name),
    toTrash
      ? vscode.l10n.t('Its samples, checkpoints, report and model are moved to the trash.')
      : vscode.l10n.t('Its samples, checkpoints, report and model are deleted permanently.'),
    toTrash ? vscode.l10n.t('Move to Trash') : vscode.l10n.t('Delete'),
  );
  if (!really) return;
  // It may have been resumed while the question stood there.
  refuseBusy(studio, runId);
  try {
    await vscode.workspace.fs.delete(folder, { recursive: true, useTrash: toTrash });
  } catch (error) {
    if (!toTrash) throw error;
    studio.log.warn(describeFailure(error));
    const forGood = await confirm(
      vscode.l10n.t('The run “{0}” cannot be moved to the trash. Delete it permanently?', name),
      vscode.l10n.t('Its samples, checkpoints, report and model cannot be restored.'),
      vscode.l10n.t('Delete'),
    );
    if (!forGood) return;
    refuseBusy(studio, runId);
    await vscode.workspace.fs.delete(folder, { recursive: true, useTrash: false });
  }
  studio.library.refresh();
}

/** The folder of a run whose configuration may be unreadable. Throws `RUN_NOT_FOUND`. */
function folderOf({ library }: Studio, runId: string): string {
  // `open` says in words why there is no such run.
  return library.get(runId)?.folder ?? library.open(runId).folder;
}

/** Looks at the folder itself: what the list says may be a second old. */
function refuseBusy(studio: Studio, runId: string): void {
  const { current, queue } = studio.service;
  const isOurs = current === runId || queue.includes(runId);
  const isBusy = isOurs || isRunning(runPaths(folderOf(studio, runId)));
  if (!isBusy) return;
  throw new CfsError({
    code: 'RUN_BUSY',
    message: vscode.l10n.t('A run that is running or waiting cannot be deleted.'),
    remedy: vscode.l10n.t('Stop it first.'),
  });
}

function noReport(name: string): CfsError {
  return new CfsError({
    code: 'REPORT_MISSING',
    message: vscode.l10n.t('The run “{0}” has no report yet.', name),
    remedy: vscode.l10n.t(
      'The report is written when the run finishes: wait for that, or resume the run.',
    ),
  });
}
