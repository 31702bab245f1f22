/** Where the person sits: the extension may run on another machine, or behind a browser. */
import * as vscode from 'vscode';

/** Whether files here can be shown by the desktop that the person sits at. */
export function isOnThisDesktop(): boolean {
  return vscode.env.uiKind === vscode.UIKind.Desktop && vscode.env.remoteName === undefined;
}
