/**
 * Shows a report that was drawn just now: in the person's browser, or in a tab of the editor if the
 * file is on another machine. A report is one file that needs nothing else, and carries its own content
 * policy, which allows its own scripts by their hashes and nothing besides.
 */
import * as vscode from 'vscode';
import { readTextFileAsync } from '../reading.js';
import { isOnThisDesktop } from './desktop.js';
import { inert } from './ui.js';

export async function showReport(file: string, runName: string): Promise<void> {
  if (isOnThisDesktop() && (await vscode.env.openExternal(vscode.Uri.file(file)))) return;
  const html = await readTextFileAsync(file);
  const panel = vscode.window.createWebviewPanel(
    'cfs.report',
    inert(vscode.l10n.t('Report: {0}', runName)),
    vscode.ViewColumn.Active,
    { enableScripts: true, enableFindWidget: true, localResourceRoots: [] },
  );
  panel.webview.html = html;
}
