/** Where VS Code enters: wiring only. */
import * as vscode from 'vscode';
import { registerCommands } from './host/commands/index.js';
import type { Parts } from './host/commands/parts.js';
import { createStudio } from './host/createStudio.js';
import { createLog } from './host/ui.js';
import { registerUntrustedViews } from './host/untrusted.js';

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog('CFS Studio');
  let parts: Parts | undefined;
  context.subscriptions.push(log, registerCommands({ context, log, parts: () => parts }));
  if (vscode.workspace.isTrusted) {
    parts = createStudio(context, log);
    return;
  }
  const waiting = registerUntrustedViews();
  context.subscriptions.push(
    waiting,
    vscode.workspace.onDidGrantWorkspaceTrust(() => {
      waiting.dispose();
      parts = createStudio(context, log);
    }),
  );
}
