/** “Check Environment”: what this machine can do, as a page to read. */
import * as vscode from 'vscode';
import { describeEnvironment } from '../environmentReport.js';
import { withProgress } from '../ui.js';
import type { Parts } from './parts.js';

const scheme = 'cfs-environment';
const uri = vscode.Uri.from({ scheme, path: '/environment.md' });
/** Each provider compiles and runs a small graph; a graphics driver may take its time. */
const timeoutMs = 120_000;

export interface EnvironmentPage extends vscode.Disposable {
  check: (parts: Parts) => Promise<void>;
}

export function createEnvironmentPage(): EnvironmentPage {
  const changed = new vscode.EventEmitter<vscode.Uri>();
  let text = '';
  const provider = vscode.workspace.registerTextDocumentContentProvider(scheme, {
    onDidChange: changed.event,
    provideTextDocumentContent: () => text,
  });
  return {
    check: async ({ studio }) => {
      const report = await withProgress(
        { title: vscode.l10n.t('Checking what this machine can do') },
        () => studio.preview.request('doctor', {}, { timeoutMs }),
      );
      text = describeEnvironment(report);
      changed.fire(uri);
      await vscode.commands.executeCommand('markdown.showPreview', uri);
    },
    dispose: () => {
      provider.dispose();
      changed.dispose();
    },
  };
}
