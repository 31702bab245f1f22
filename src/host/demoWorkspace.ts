/**
 * The demo as a folder of the person's own: copied out of the extension once, so that it can be
 * changed, keeps its runs, and outlives an update of the extension.
 */
import { existsSync } from 'node:fs';
import * as vscode from 'vscode';
import { workspaceFolder } from './workspace.js';

/** Copies the demo where it is not there yet, and opens it. */
export async function openDemo(context: vscode.ExtensionContext): Promise<void> {
  const folder = vscode.Uri.joinPath(context.globalStorageUri, 'demo');
  if (workspaceFolder() === folder.fsPath) {
    await vscode.commands.executeCommand(
      'revealInExplorer',
      vscode.Uri.joinPath(folder, 'dataset.jsonl'),
    );
    return;
  }
  if (!existsSync(folder.fsPath)) await copyDemo(context.extensionUri, folder);
  // A browser would block a second window as a pop-up.
  const forceNewWindow =
    workspaceFolder() !== undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
  await vscode.commands.executeCommand('vscode.openFolder', folder, { forceNewWindow });
}

/** Under another name first: a copy that was cut off must not pass for the whole. */
async function copyDemo(extension: vscode.Uri, folder: vscode.Uri): Promise<void> {
  const { fs } = vscode.workspace;
  const partial = folder.with({ path: `${folder.path}.partial` });
  await fs.createDirectory(vscode.Uri.joinPath(folder, '..'));
  await fs.copy(vscode.Uri.joinPath(extension, 'media', 'demo'), partial, { overwrite: true });
  await fs.rename(partial, folder);
}
