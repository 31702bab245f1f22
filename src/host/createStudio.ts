/** Puts the parts of the host together. Only for a trusted folder: from here on things are run. */
import { join } from 'node:path';
import type * as vscode from 'vscode';
import type { Parts } from './commands/parts.js';
import { createDatasetDiagnostics } from './diagnostics.js';
import { createInspectorHost } from './pages/inspector.js';
import { createPanelHost } from './pages/panel.js';
import { createPreviewService } from './previewService.js';
import { createRunActions } from './runActions.js';
import { createRunLibrary } from './runLibrary.js';
import { registerRunProgress } from './runProgress.js';
import { createRunService } from './runService.js';
import { registerRunsTree } from './runsTree.js';
import type { Studio } from './studio.js';
import type { LogChannel } from './ui.js';
import { requireWorkspace, setting, workspaceFolder } from './workspace.js';

export function createStudio(context: vscode.ExtensionContext, log: LogChannel): Parts {
  const bundle = (name: string): string => join(context.extensionPath, 'dist', name);
  const nodePath = (): string | undefined => setting('nodePath') || undefined;
  const library = createRunLibrary({
    workspace: workspaceFolder,
    // The two know each other; neither asks before both are there.
    queued: () => service.queue,
    current: () => service.current,
    log,
  });
  const service = createRunService({
    script: bundle('engine.js'),
    library,
    workspace: workspaceFolder,
    log,
    nodePath,
  });
  const preview = createPreviewService({ script: bundle('preview.js'), log, nodePath });
  const studio: Studio = {
    context,
    log,
    workspace: requireWorkspace,
    library,
    service,
    preview,
    // The pages open each other, and everything else can open them.
    get panel() {
      return panel;
    },
    get inspector() {
      return inspector;
    },
  };
  const actions = createRunActions(studio);
  const panel = createPanelHost(studio, actions);
  const inspector = createInspectorHost(studio);
  const diagnostics = createDatasetDiagnostics(studio);
  // Disposed in this order: first what asks, then what answers, and the log after all of them.
  context.subscriptions.unshift(
    registerRunsTree(studio),
    registerRunProgress(studio),
    diagnostics,
    panel,
    inspector,
    service,
    preview,
    library,
  );
  return { studio, actions, diagnostics };
}
