/**
 * How an error reaches a person: what happened and what to do next as a notification, with a button
 * where there is something to press; the stack goes into the log alone.
 */
import * as vscode from 'vscode';
import { CfsError, messageOf, type Place } from '../errors.js';
import { describeFailure } from './log.js';
import type { Studio } from './studio.js';
import { showFailure } from './ui.js';

type Logging = Pick<Studio, 'log'>;

/** Shows whatever was thrown. Resolves when the notification is gone. */
export async function showError(error: unknown, { log }: Logging): Promise<void> {
  if (error instanceof vscode.CancellationError) return;
  log.error(describeFailure(error));
  const showLog = { title: vscode.l10n.t('Show Log'), run: () => Promise.resolve(log.show()) };
  const buttons = error instanceof CfsError ? [...buttonsFor(error), showLog] : [showLog];
  const chosen = await showFailure(textOf(error), ...buttons);
  if (chosen) await chosen.run();
}

/** `action` as a command: what it throws is shown, and it never rejects. */
export function guard<T extends readonly unknown[]>(
  action: (...args: T) => unknown,
  logging: Logging,
): (...args: T) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      // Not awaited: the command is over, whether or not somebody reads the notification.
      void showError(error, logging);
    }
  };
}

/** Opens the file of `place`, at its line where it has one. */
export async function openPlace({ file, line, column }: Place & { file: string }): Promise<void> {
  const position = new vscode.Position(
    Math.max(0, (line ?? 1) - 1),
    Math.max(0, (column ?? 1) - 1),
  );
  await vscode.window.showTextDocument(vscode.Uri.file(file), {
    selection: new vscode.Range(position, position),
  });
}

interface Button extends vscode.MessageItem {
  run(): Thenable<unknown>;
}

function buttonsFor({ code, place }: CfsError): Button[] {
  const command = (title: string, id: string): Button => ({
    title,
    run: () => vscode.commands.executeCommand(id),
  });
  if (code === 'WORKSPACE_MISSING') {
    return [
      command(vscode.l10n.t('Open Folder'), 'vscode.openFolder'),
      command(vscode.l10n.t('Open Demo Workspace'), 'cfs.openDemo'),
    ];
  }
  if (code === 'WORKSPACE_UNTRUSTED') {
    return [command(vscode.l10n.t('Manage Workspace Trust'), 'workbench.trust.manage')];
  }
  const { file } = place;
  if (file === undefined || place.line === undefined) return [];
  return [{ title: vscode.l10n.t('Open File'), run: () => openPlace({ ...place, file }) }];
}

function textOf(error: unknown): string {
  if (error instanceof CfsError) return `${error.message} ${error.remedy}`;
  return vscode.l10n.t('CFS Studio ran into a bug: {0} The log has the details.', sentence(error));
}

function sentence(error: unknown): string {
  const text = messageOf(error).trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
