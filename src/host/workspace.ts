/** What of the workspace the studio works with: its folder, its datasets and the models in it. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import { CfsError } from '../errors.js';
import { isDatasetFile, isModelFolder } from './fileKinds.js';
import type { Studio } from './studio.js';

/** The first folder on a disk; the extension host restarts when that changes. */
export function workspaceFolder(): string | undefined {
  return vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file')?.uri.fsPath;
}

/** Throws `WORKSPACE_MISSING`. */
export function requireWorkspace(): string {
  const folder = workspaceFolder();
  if (folder !== undefined) return folder;
  throw new CfsError({
    code: 'WORKSPACE_MISSING',
    message: vscode.l10n.t('No folder is open, so there is no place to keep a run.'),
    remedy: vscode.l10n.t('Open the folder that holds your dataset, then try again.'),
  });
}

/** Throws `WORKSPACE_UNTRUSTED`: menus hide what runs something, but keys and links do not. */
export function requireTrust(): void {
  if (vscode.workspace.isTrusted) return;
  throw new CfsError({
    code: 'WORKSPACE_UNTRUSTED',
    message: vscode.l10n.t('CFS Studio is disabled because this folder is not trusted.'),
    remedy: vscode.l10n.t('Trust the folder if you know where its files come from.'),
  });
}

const excluded = '{**/node_modules/**,**/.cfs/**,**/.git/**,**/.vscode/**}';
/** More than these are not worth a list. */
const most = 2000;

/** Files that may be datasets, those of task folders left out; absolute, sorted. */
export async function findDatasets(): Promise<string[]> {
  const found = await vscode.workspace.findFiles('**/*.{jsonl,json,csv}', excluded, most);
  return found
    .map(({ fsPath }) => fsPath)
    .filter((path) => isDatasetFile(path) && basename(dirname(path)) !== 'tasks')
    .toSorted();
}

/** Folders with a model, absolute, sorted; those that runs have written are not among them. */
export async function findModels(): Promise<string[]> {
  const found = await vscode.workspace.findFiles('**/config.json', excluded, most);
  return found
    .map(({ fsPath }) => dirname(fsPath))
    .filter((folder) => isModelFolder(namesIn(folder)))
    .toSorted();
}

/** The names in a folder; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** A setting of ours, as it holds in the folder of the runs. */
export function setting(name: 'baseModel' | 'provider' | 'nodePath'): string {
  const folder = workspaceFolder();
  const scope = folder === undefined ? undefined : vscode.Uri.file(folder);
  return vscode.workspace.getConfiguration('cfs', scope).get(name, '');
}

/**
 * The setting, else the model that was chosen last, on the mix page or for a run, else the only one
 * in the workspace.
 */
export async function preferredModel({
  library,
  panel,
}: Pick<Studio, 'library' | 'panel'>): Promise<string | undefined> {
  const chosen = setting('baseModel');
  if (chosen !== '') return isAbsolute(chosen) ? chosen : resolve(workspaceFolder() ?? '', chosen);
  const { model } = panel.draft;
  if (typeof model === 'string' && model !== '') return model;
  const last = library.list().find(({ model }) => model !== undefined)?.model;
  if (last !== undefined && existsSync(join(last, 'config.json'))) return last;
  const models = await findModels();
  return models.length === 1 ? models[0] : undefined;
}
