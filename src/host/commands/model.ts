/** “Select Base Model”: keeps the choice as a setting, where it can be seen and changed. */
import { isAbsolute, relative } from 'node:path';
import * as vscode from 'vscode';
import { describeModel, pickModel } from '../modelPicker.js';
import { showInfo } from '../ui.js';
import { workspaceFolder } from '../workspace.js';
import type { Parts } from './parts.js';

export async function selectModel({ studio }: Parts): Promise<void> {
  const model = await pickModel(studio);
  if (model === undefined) return;
  await keep(model.folder);
  const mix = vscode.l10n.t('Configure Mix');
  const words = vscode.l10n.t('Base model: {0}.', describeModel(model));
  const chosen = await showInfo(words, mix);
  if (chosen === mix) {
    studio.panel.show('mix', { change: { model: model.folder } });
  }
}

/** In the workspace, relative where it can be, so that the setting can be shared with others. */
async function keep(folder: string): Promise<void> {
  const root = workspaceFolder();
  const settings = vscode.workspace.getConfiguration('cfs');
  if (root === undefined) {
    return settings.update('baseModel', folder, vscode.ConfigurationTarget.Global);
  }
  const path = relative(root, folder);
  const isInside = path !== '' && !path.startsWith('..') && !isAbsolute(path);
  await settings.update(
    'baseModel',
    isInside ? path.replaceAll('\\', '/') : folder,
    vscode.ConfigurationTarget.Workspace,
  );
}
