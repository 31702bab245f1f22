/** “Select Base Model”: the models in the workspace with what they are, or any other folder. */
import { relative } from 'node:path';
import * as vscode from 'vscode';
import { messageOf } from '../errors.js';
import type { ModelFacts } from '../protocol/preview.js';
import type { Studio } from './studio.js';
import { openPicker } from './ui.js';
import { findModels, workspaceFolder } from './workspace.js';

interface ModelItem extends vscode.QuickPickItem {
  /** Absolute; absent for “Browse…”. */
  folder?: string;
}

/** The chosen model, looked at; undefined when nothing was chosen. Throws `MODEL_…`. */
export async function pickModel(studio: Studio): Promise<ModelFacts | undefined> {
  const chosen = await pickFolder(studio);
  if (chosen === undefined) return undefined;
  return studio.preview.request('describeModel', { folder: chosen });
}

async function pickFolder(studio: Studio): Promise<string | undefined> {
  const here = await findModels();
  const written = studio.library.list().filter(({ hasModel }) => hasModel);
  const items: ModelItem[] = [
    ...here.map((folder) => ({ label: nameOf(folder), folder })),
    ...written.map(({ id, name }) => ({
      label: name,
      description: vscode.l10n.t('fine-tuned here'),
      folder: studio.library.open(id).paths.model,
    })),
  ];
  if (items.length === 0) return browse();
  const { picker, setItems } = openPicker<ModelItem>();
  picker.title = vscode.l10n.t('Choose the base model');
  picker.placeholder = vscode.l10n.t('The model that training starts from');
  picker.matchOnDetail = true;
  const separated: ModelItem[] = [{ label: '', kind: vscode.QuickPickItemKind.Separator }];
  const browsing: ModelItem = { label: vscode.l10n.t('Browse…') };
  const draw = (): void => {
    setItems([...items, ...separated, browsing]);
  };
  draw();
  picker.show();
  picker.busy = true;
  void describeAll(studio, items, draw).finally(() => (picker.busy = false));
  const picked = await new Promise<ModelItem | undefined>((resolve) => {
    picker.onDidAccept(() => resolve(picker.selectedItems[0]));
    picker.onDidHide(() => resolve(undefined));
  });
  picker.dispose();
  if (picked === undefined) return undefined;
  return picked.folder ?? browse();
}

/** One after another: each takes a moment, and the list is readable without. */
async function describeAll(studio: Studio, items: ModelItem[], draw: () => void): Promise<void> {
  for (const item of items) {
    if (item.folder === undefined) continue;
    try {
      item.detail = describeModel(
        await studio.preview.request('describeModel', { folder: item.folder }),
      );
    } catch (error) {
      item.detail = vscode.l10n.t('Cannot be used: {0}', messageOf(error));
    }
    draw();
  }
}

/** What a model is, in a line. */
export function describeModel({
  architecture,
  parameters,
  contextLength,
  bos,
}: ModelFacts): string {
  return vscode.l10n.t(
    '{0}, {1} parameters, context length {2}, BOS token {3}',
    architecture,
    inShort.format(parameters),
    contextLength.toLocaleString('en'),
    bos.token,
  );
}

/** `868K`, `1.24B`. */
const inShort = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

function nameOf(folder: string): string {
  const root = workspaceFolder();
  const path = root === undefined ? folder : relative(root, folder);
  return path === '' ? '.' : path;
}

async function browse(): Promise<string | undefined> {
  const root = workspaceFolder();
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Choose the folder of the base model'),
    openLabel: vscode.l10n.t('Use This Model'),
    canSelectFolders: true,
    canSelectFiles: false,
    defaultUri: root === undefined ? undefined : vscode.Uri.file(root),
  });
  return chosen?.[0]?.fsPath;
}
