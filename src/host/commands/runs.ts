/** The commands about runs that are there: look at them, stop, resume, compare and remove them. */
import * as vscode from 'vscode';
import type { RunAction, RunInfo } from '../../protocol/runInfo.js';
import { runIdOf } from '../runsTree.js';
import { canResume } from '../runText.js';
import { showInfo } from '../ui.js';
import type { Command, Parts } from './parts.js';
import { pickRun, pickRuns, type Question } from './runPicker.js';

/** More lines than these cannot be told apart, and the panel takes no more. */
const mostCompared = 12;

export function showCurves({ studio }: Parts, target?: unknown, selected?: unknown): void {
  const chosen = runIdsOf(target, selected);
  const newest = studio.library.list()[0]?.id;
  const runIds = chosen.length > 0 || newest === undefined ? chosen : [newest];
  studio.panel.show('curves', { runIds: runIds.slice(0, mostCompared) });
}

export async function compareRuns(
  { studio }: Parts,
  target?: unknown,
  selected?: unknown,
): Promise<void> {
  const runs = studio.library.list();
  if (runs.length < 2) {
    void showInfo(
      vscode.l10n.t('Comparing needs two runs. Run the same dataset again with other settings.'),
    );
    return;
  }
  const chosen = runIdsOf(target, selected);
  const title = vscode.l10n.t('Choose two or more runs to compare');
  const runIds = chosen.length > 1 ? chosen : await pickRuns(runs, title, chosen);
  if (runIds === undefined || runIds.length === 0) return;
  studio.panel.show('compare', { runIds: runIds.slice(0, mostCompared) });
}

const isStoppable = ({ state }: RunInfo): boolean => state === 'running' || state === 'queued';

export const stopRun = onRun('stop', isStoppable, () => ({
  title: vscode.l10n.t('Choose the run to stop'),
  none: vscode.l10n.t('No run is running.'),
}));

export const resumeRun = onRun('resume', canResume, () => ({
  title: vscode.l10n.t('Choose the run to resume'),
  none: vscode.l10n.t('There is no run to resume: all have finished or are still running.'),
}));

export const revealRun = onRun(
  'reveal',
  () => true,
  () => ({
    title: vscode.l10n.t('Choose the run whose folder to reveal'),
    none: vscode.l10n.t('There are no runs yet.'),
  }),
);

export const openReport = onRun(
  'report',
  ({ hasReport }) => hasReport,
  () => ({
    title: vscode.l10n.t('Choose the run whose report to open'),
    none: vscode.l10n.t('No run has a report yet: it is written at the end of a run.'),
  }),
);

export const configureFromRun = onRun(
  'configure',
  () => true,
  () => ({
    title: vscode.l10n.t('Choose the run whose settings to copy'),
    none: vscode.l10n.t('There are no runs yet.'),
  }),
);

export const deleteRun = onRun(
  'delete',
  (run) => !isStoppable(run),
  () => ({
    title: vscode.l10n.t('Choose the run to delete'),
    none: vscode.l10n.t('There is no run to delete: runs that are running must be stopped first.'),
  }),
);

/** `action` on the runs it was called on, else on one of those that fit, which people pick. */
function onRun(
  action: RunAction,
  fits: (run: RunInfo) => boolean,
  question: () => Question,
): Command {
  return async ({ studio, actions }, target, selected) => {
    const chosen = runIdsOf(target, selected);
    const picked =
      chosen.length > 0 ? undefined : await pickRun(studio.library.list().filter(fits), question());
    for (const runId of picked === undefined ? chosen : [picked]) await actions[action](runId);
  };
}

/** The runs of a tree's selection, each once; `clicked` is the item under the pointer. */
function runIdsOf(clicked: unknown, selected: unknown): string[] {
  const all: unknown[] = Array.isArray(selected)
    ? [clicked, ...(selected as unknown[])]
    : [clicked];
  return [...new Set(all.map(runIdOf).filter((id) => id !== undefined))];
}
