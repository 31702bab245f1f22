/** The tree of runs in the sidebar, and the context keys by which menus know what can be done. */
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { RunInfo } from '../protocol/runInfo.js';
import { stateWords } from '../protocol/runWords.js';
import { canResume, describeRun, runFacts, speakRun, stateIcons } from './runText.js';
import type { Studio } from './studio.js';
import { factsTooltip, inert, treeItem, type TreeItemOptions } from './ui.js';

interface RunNode {
  kind: 'run';
  runId: string;
  run: RunInfo;
}
interface PartNode {
  kind: 'samples' | 'checkpoints' | 'report' | 'model';
  runId: string;
}
interface CheckpointNode {
  kind: 'checkpoint';
  runId: string;
  step: number;
}
type Node = RunNode | PartNode | CheckpointNode;

/** The run that a command is meant for: an element of the tree, or the id itself. */
export function runIdOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument;
  if (typeof argument !== 'object' || argument === null || !('runId' in argument)) return undefined;
  return typeof argument.runId === 'string' ? argument.runId : undefined;
}

export function registerRunsTree({ library }: Pick<Studio, 'library'>): vscode.Disposable {
  const changed = new vscode.EventEmitter<Node | Node[] | undefined>();
  /** By run: the editor knows elements by their identity. */
  const nodes = new Map<string, RunNode>();

  const nodeOf = (run: RunInfo): RunNode => {
    const node = nodes.get(run.id) ?? { kind: 'run', runId: run.id, run };
    node.run = run;
    nodes.set(run.id, node);
    return node;
  };
  const provider: vscode.TreeDataProvider<Node> = {
    onDidChangeTreeData: changed.event,
    getTreeItem: (node) => itemOf(node, library.get(node.runId) ?? nodes.get(node.runId)?.run),
    getChildren: (node) => {
      if (node === undefined) return library.list().map(nodeOf);
      const run = library.get(node.runId);
      return run === undefined ? [] : childrenOf(node, run);
    },
    getParent: (node) => {
      if (node.kind === 'run') return undefined;
      if (node.kind === 'checkpoint') return { kind: 'checkpoints', runId: node.runId };
      return nodes.get(node.runId);
    },
  };
  const view = vscode.window.createTreeView('cfs.runs', {
    treeDataProvider: provider,
    // To compare them.
    canSelectMany: true,
  });

  let shown: readonly RunInfo[] = [];
  const update = (): void => {
    const runs = library.list();
    const same = runs.length === shown.length && runs.every(({ id }, i) => id === shown[i]?.id);
    if (same) {
      const before = new Map(shown.map((run) => [run.id, JSON.stringify(run)]));
      const others = runs.filter((run) => before.get(run.id) !== JSON.stringify(run));
      if (others.length > 0) changed.fire(others.map(nodeOf));
    } else {
      const ids = new Set(runs.map(({ id }) => id));
      for (const id of [...nodes.keys()].filter((each) => !ids.has(each))) nodes.delete(id);
      changed.fire(undefined);
    }
    shown = runs;
    setContext(runs);
    const running = runs.filter(({ state }) => state === 'running').length;
    view.badge =
      running === 0
        ? undefined
        : {
            value: running,
            tooltip:
              running === 1
                ? vscode.l10n.t('1 run under way')
                : vscode.l10n.t('{0} runs under way', running),
          };
  };
  update();
  return vscode.Disposable.from(library.onDidChange(update), view, changed);
}

function setContext(runs: readonly RunInfo[]): void {
  const set = (key: string, value: boolean): void =>
    void vscode.commands.executeCommand('setContext', key, value);
  set('cfs.hasRuns', runs.length > 0);
  set(
    'cfs.running',
    runs.some(({ state }) => state === 'running' || state === 'queued'),
  );
  set('cfs.canResume', runs.some(canResume));
}

function childrenOf(node: Node, run: RunInfo): Node[] {
  const { runId } = node;
  if (node.kind === 'checkpoints') {
    return run.checkpoints.map((step) => ({ kind: 'checkpoint', runId, step }));
  }
  if (node.kind !== 'run') return [];
  const parts: [PartNode['kind'], boolean][] = [
    ['samples', run.samples > 0],
    ['checkpoints', run.checkpoints.length > 0],
    ['report', run.hasReport],
    ['model', run.hasModel],
  ];
  return parts.filter(([, there]) => there).map(([kind]) => ({ kind, runId }));
}

function itemOf(node: Node, run: RunInfo | undefined): vscode.TreeItem {
  // Deleted between two looks: the tree is drawn again at once.
  if (run === undefined) return treeItem({ label: node.runId });
  if (node.kind === 'run') return runItem(run);
  const item = partItem(node, run);
  item.id = `${run.id}/${node.kind}${node.kind === 'checkpoint' ? `/${node.step}` : ''}`;
  item.contextValue = `run.${node.kind}`;
  return item;
}

function runItem(run: RunInfo): vscode.TreeItem {
  const hasChildren = childrenOf({ kind: 'run', runId: run.id, run }, run).length > 0;
  const { icon, color } = stateIcons[run.state];
  const { None, Collapsed } = vscode.TreeItemCollapsibleState;
  const item = treeItem({
    label: run.name,
    state: hasChildren ? Collapsed : None,
    icon: new vscode.ThemeIcon(icon, new vscode.ThemeColor(color)),
    description: describeRun(run),
    tooltip: factsTooltip(run.name, stateWords[run.state], runFacts(run)),
  });
  item.id = run.id;
  item.contextValue = `run.${run.state}`;
  item.accessibilityInformation = { label: inert(speakRun(run)), role: 'treeitem' };
  return item;
}

function partItem(node: PartNode | CheckpointNode, run: RunInfo): vscode.TreeItem {
  const { None, Collapsed } = vscode.TreeItemCollapsibleState;
  switch (node.kind) {
    case 'samples': {
      const item = partOf(vscode.l10n.t('Samples'), 'list-flat', None, {
        description: run.samples.toLocaleString('en'),
      });
      item.command = {
        command: 'cfs.inspectSamples',
        title: vscode.l10n.t('Inspect Samples'),
        arguments: [run.id],
      };
      return item;
    }
    case 'checkpoints':
      return partOf(vscode.l10n.t('Checkpoints'), 'history', Collapsed, {
        description: String(run.checkpoints.length),
      });
    case 'checkpoint':
      return partOf(vscode.l10n.t('Step {0}', node.step), 'git-commit', None);
    case 'report': {
      const item = partOf(vscode.l10n.t('Report'), 'book', None);
      item.command = {
        command: 'cfs.openReport',
        title: vscode.l10n.t('Open Report'),
        arguments: [run.id],
      };
      return item;
    }
    case 'model': {
      const folder = vscode.Uri.file(join(run.folder, 'model'));
      const item = partOf(vscode.l10n.t('Model'), 'package', None, { tooltip: folder.fsPath });
      item.command = {
        command: 'revealInExplorer',
        title: vscode.l10n.t('Show the Model Folder'),
        arguments: [folder],
      };
      return item;
    }
  }
}

function partOf(
  label: string,
  icon: string,
  state: vscode.TreeItemCollapsibleState,
  more: Pick<TreeItemOptions, 'description' | 'tooltip'> = {},
): vscode.TreeItem {
  return treeItem({ label, state, icon: new vscode.ThemeIcon(icon), ...more });
}
