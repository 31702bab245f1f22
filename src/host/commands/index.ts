/** Registers the commands; each is guarded, so that none of them ever rejects with a raw error. */
import * as vscode from 'vscode';
import { openDemo } from '../demoWorkspace.js';
import { guard } from '../errors.js';
import type { LogChannel } from '../ui.js';
import { requireTrust } from '../workspace.js';
import { createEnvironmentPage } from './environment.js';
import { fineTune } from './fineTune.js';
import { commandIds, type CommandId } from './ids.js';
import { selectModel } from './model.js';
import type { Command, Parts } from './parts.js';
import * as runs from './runs.js';
import { configureMix, generateSamples, inspectSamples } from './samples.js';

export interface CommandOptions {
  context: vscode.ExtensionContext;
  log: LogChannel;
  /** There once the folder is trusted. */
  parts: () => Parts | undefined;
}

export function registerCommands({ context, log, parts }: CommandOptions): vscode.Disposable {
  const environment = createEnvironmentPage();
  const needTrust: Record<Exclude<CommandId, 'cfs.openDemo'>, Command> = {
    'cfs.fineTune': fineTune,
    'cfs.fineTuneFile': fineTune,
    'cfs.selectModel': selectModel,
    'cfs.generateSamples': generateSamples,
    'cfs.inspectSamples': inspectSamples,
    'cfs.configureMix': configureMix,
    'cfs.configureFromRun': runs.configureFromRun,
    'cfs.showCurves': runs.showCurves,
    'cfs.compareRuns': runs.compareRuns,
    'cfs.stopRun': runs.stopRun,
    'cfs.resumeRun': runs.resumeRun,
    'cfs.revealRun': runs.revealRun,
    'cfs.openReport': runs.openReport,
    'cfs.deleteRun': runs.deleteRun,
    'cfs.checkEnvironment': environment.check,
  };
  const action = (id: CommandId): ((...args: unknown[]) => unknown) => {
    if (id === 'cfs.openDemo') return () => openDemo(context);
    return (...args) => {
      requireTrust();
      const ready = parts();
      if (ready !== undefined) return needTrust[id](ready, ...args);
    };
  };
  return vscode.Disposable.from(
    environment,
    ...commandIds.map((id) => vscode.commands.registerCommand(id, guard(action(id), { log }))),
  );
}
