/**
 * The one place from which text reaches the editor's own surfaces: notifications, lists, the tree, the
 * status bar, problems and the log. They take `[words](command:…)` for a link that runs a command and
 * `$(name)` for an icon; names, paths and messages of others must be neither. Lint forbids the editor's
 * own functions everywhere else. Pages and reports are HTML and have ways of their own.
 */
import * as vscode from 'vscode';
import { visible, visibleLine } from '../text.js';
import type { Log } from './log.js';

/** `text` so that the editor shows it as it is: nothing in it is a link, an icon or a control. */
export function inert(text: string): string {
  return visible(text).replaceAll('](', '] (').replaceAll('$(', '$ (');
}

type Button = string | vscode.MessageItem;

/** A notification. Resolves to the button that was pressed, or undefined when it is gone. */
export function showInfo<T extends Button>(text: string, ...buttons: T[]): Thenable<T | undefined> {
  return vscode.window.showInformationMessage(inert(text), ...(buttons as never[]));
}

export function showWarning<T extends Button>(
  text: string,
  ...buttons: T[]
): Thenable<T | undefined> {
  return vscode.window.showWarningMessage(inert(text), ...(buttons as never[]));
}

export function showFailure<T extends Button>(
  text: string,
  ...buttons: T[]
): Thenable<T | undefined> {
  return vscode.window.showErrorMessage(inert(text), ...(buttons as never[]));
}

/** A question that has to be answered before anything else. */
export async function confirm(question: string, detail: string, yes: string): Promise<boolean> {
  const options = { modal: true, detail: inert(detail) };
  return (await vscode.window.showWarningMessage(inert(question), options, yes)) === yes;
}

/** A notification for as long as `work` takes; `report` changes its second line. */
export function withProgress<T>(
  { title, cancellable = false }: { title: string; cancellable?: boolean },
  work: (report: (text: string) => void, cancelled: vscode.CancellationToken) => Thenable<T>,
): Thenable<T> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress(
    { location, title: inert(title), cancellable },
    (progress, cancelled) => work((text) => progress.report({ message: inert(text) }), cancelled),
  );
}

/** A list to choose one from. */
export function pickOne<T extends vscode.QuickPickItem>(
  items: readonly T[],
  options: vscode.QuickPickOptions,
): Thenable<T | undefined> {
  return vscode.window.showQuickPick(items.map(inertItem), options);
}

/** A list to choose several from. */
export function pickMany<T extends vscode.QuickPickItem>(
  items: readonly T[],
  options: vscode.QuickPickOptions,
): Thenable<T[] | undefined> {
  return vscode.window.showQuickPick(items.map(inertItem), { ...options, canPickMany: true });
}

/** A list that changes while it is open; what is chosen is a copy of what `setItems` was given. */
export function openPicker<T extends vscode.QuickPickItem>(): {
  picker: vscode.QuickPick<T>;
  setItems: (items: readonly T[]) => void;
} {
  const picker = vscode.window.createQuickPick<T>();
  return { picker, setItems: (items) => (picker.items = items.map(inertItem)) };
}

function inertItem<T extends vscode.QuickPickItem>(item: T): T {
  const { label, description, detail } = item;
  return {
    ...item,
    label: inert(label),
    description: description && inert(description),
    detail: detail && inert(detail),
  };
}

export interface TreeItemOptions {
  label: string;
  state?: vscode.TreeItemCollapsibleState;
  /** A product icon. */
  icon?: vscode.ThemeIcon;
  description?: string;
  tooltip?: string | vscode.MarkdownString;
}

export function treeItem({
  label,
  state,
  icon,
  description,
  tooltip,
}: TreeItemOptions): vscode.TreeItem {
  const item = new vscode.TreeItem(inert(label), state);
  if (icon !== undefined) item.iconPath = icon;
  if (description !== undefined) item.description = inert(description);
  if (tooltip !== undefined) item.tooltip = typeof tooltip === 'string' ? inert(tooltip) : tooltip;
  return item;
}

/** A tooltip: a name in bold with a remark, and a list of facts. */
export function factsTooltip(
  name: string,
  remark: string,
  facts: readonly (readonly [name: string, value: string])[],
): vscode.MarkdownString {
  const tooltip = new vscode.MarkdownString();
  const add = (text: string): vscode.MarkdownString => tooltip.appendText(visibleLine(text));
  tooltip.appendMarkdown('**');
  add(name).appendMarkdown('** (');
  add(remark).appendMarkdown(')\n\n');
  for (const [fact, value] of facts) {
    tooltip.appendMarkdown('- ');
    add(`${fact}: ${value}`).appendMarkdown('\n');
  }
  return tooltip;
}

export interface StatusContent {
  /** A product icon. */
  icon: string;
  text: string;
  tooltip: string;
  /** For a screen reader. */
  spoken: string;
  command: vscode.Command;
}

export interface StatusItem extends vscode.Disposable {
  show(content: StatusContent): void;
  hide(): void;
}

/** An item at the left of the status bar. */
export function statusItem(id: string, name: string): StatusItem {
  const item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Left, 50);
  item.name = name;
  return {
    show: ({ icon, text, tooltip, spoken, command }) => {
      item.text = `$(${icon}) ${inert(text)}`;
      item.tooltip = inert(tooltip);
      item.accessibilityInformation = { label: inert(spoken) };
      item.command = command;
      item.show();
    },
    hide: () => item.hide(),
    dispose: () => item.dispose(),
  };
}

export function diagnostic(
  range: vscode.Range,
  text: string,
  severity: vscode.DiagnosticSeverity,
): vscode.Diagnostic {
  return new vscode.Diagnostic(range, inert(text), severity);
}

/** The log of the extension, as its parts write to it. */
export interface LogChannel extends Log, vscode.Disposable {
  show(): void;
}

export function createLog(name: string): LogChannel {
  const channel = vscode.window.createOutputChannel(name, { log: true });
  return {
    info: (text) => channel.info(visible(text)),
    warn: (text) => channel.warn(visible(text)),
    error: (text) => channel.error(visible(text)),
    show: () => channel.show(),
    dispose: () => channel.dispose(),
  };
}
