/** “Fine-Tune with CFS”: from a dataset to the mix page, with its mistakes in the Problems panel. */
import { basename, relative } from 'node:path';
import * as vscode from 'vscode';
import type { DatasetReport } from '../../protocol/datasetReport.js';
import { datasetPaths } from '../pages/draft.js';
import { makeDraft, tasksFolder } from '../draft.js';
import { withReadingProgress } from '../progress.js';
import type { Draft, Studio } from '../studio.js';
import { pickMany, showWarning } from '../ui.js';
import { findDatasets, namesIn, preferredModel, requireWorkspace, setting } from '../workspace.js';
import type { Parts } from './parts.js';

/** `target` and `selected` are what a menu passes: the file clicked, and all that are selected. */
export async function fineTune(parts: Parts, target?: unknown, selected?: unknown): Promise<void> {
  const { studio, diagnostics } = parts;
  requireWorkspace();
  const files = chosenFiles(target, selected) ?? (await pickDatasets());
  if (files === undefined) return;
  await saveOpen(files);
  // The page first: it shows at once what was chosen, however long the reading takes.
  studio.panel.show(
    'mix',
    isDraftOf(studio, files) ? {} : { draft: await draftFor(studio, files) },
  );
  const report = await withReadingProgress(
    studio,
    vscode.l10n.t('Checking {0}', namesOf(files)),
    () => diagnostics.check(files),
  );
  await tellProblems(report, files);
}

/** What the mix page begins with for these datasets; without any, for the model alone. */
export async function draftFor(studio: Studio, datasets: readonly string[]): Promise<Draft> {
  const [first] = datasets;
  return makeDraft({
    datasets,
    model: await preferredModel(studio),
    provider: setting('provider'),
    taskFiles: first === undefined ? [] : namesIn(tasksFolder(first)),
  });
}

/** What was set for these datasets stays; another dataset begins anew. */
function isDraftOf({ panel }: Studio, files: readonly string[]): boolean {
  return datasetPaths(panel.draft).join('\n') === files.join('\n');
}

function chosenFiles(target: unknown, selected: unknown): string[] | undefined {
  const all: unknown[] = Array.isArray(selected) && selected.length > 0 ? selected : [target];
  const files = all.filter((each) => each instanceof vscode.Uri).map(({ fsPath }) => fsPath);
  return files.length === 0 ? undefined : files;
}

async function pickDatasets(): Promise<string[] | undefined> {
  const folder = requireWorkspace();
  const browse = { label: vscode.l10n.t('Browse…'), path: undefined };
  const items = (await findDatasets()).map((path) => ({ label: relative(folder, path), path }));
  // An empty list would only be in the way.
  if (items.length === 0) return browseDatasets(folder);
  const picked = await pickMany([...items, browse], {
    title: vscode.l10n.t('Choose the dataset to fine-tune on'),
    placeHolder: vscode.l10n.t('Several files are combined into one dataset'),
  });
  if (picked === undefined || picked.length === 0) return undefined;
  const paths = picked.flatMap(({ path }) => (path === undefined ? [] : [path]));
  if (paths.length === picked.length) return paths;
  const more = await browseDatasets(folder);
  return more === undefined ? undefined : [...paths, ...more];
}

async function browseDatasets(folder: string): Promise<string[] | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Choose the dataset to fine-tune on'),
    openLabel: vscode.l10n.t('Fine-Tune'),
    canSelectMany: true,
    defaultUri: vscode.Uri.file(folder),
    filters: { [vscode.l10n.t('Datasets')]: ['jsonl', 'json', 'csv'] },
  });
  return chosen?.map(({ fsPath }) => fsPath);
}

/** What is read is the file; what is seen must be the same. */
async function saveOpen(files: readonly string[]): Promise<void> {
  for (const document of vscode.workspace.textDocuments) {
    if (document.isDirty && files.includes(document.uri.fsPath)) await document.save();
  }
}

async function tellProblems(report: DatasetReport, files: readonly string[]): Promise<void> {
  const { errors } = report;
  if (errors === 0) return;
  const names = namesOf(files);
  const show = vscode.l10n.t('Show Problems');
  const mistakes =
    errors === 1
      ? vscode.l10n.t('{0} has a mistake.', names)
      : vscode.l10n.t('{0} has {1} mistakes.', names, errors.toLocaleString('en'));
  const remedy = vscode.l10n.t('Correct and save the file; training cannot start before that.');
  const chosen = await showWarning(`${mistakes} ${remedy}`, show);
  if (chosen === show) await vscode.commands.executeCommand('workbench.actions.view.problems');
}

function namesOf(files: readonly string[]): string {
  const [first] = files;
  if (files.length === 1 && first !== undefined) return basename(first);
  return vscode.l10n.t('{0} files', files.length);
}
