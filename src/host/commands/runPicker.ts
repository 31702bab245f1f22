/** Which run a command is about: the one it was called on, the only one, or the one people pick. */
import type * as vscode from 'vscode';
import type { RunInfo } from '../../protocol/runInfo.js';
import { runLabels, stateWords } from '../../protocol/runWords.js';
import { pickMany, pickOne, showInfo } from '../ui.js';

export interface Question {
  title: string;
  /** What to say when there is no run to choose from. */
  none: string;
}

/** Asks nothing when there is only one; undefined when nothing was chosen. */
export async function pickRun(
  runs: readonly RunInfo[],
  { title, none }: Question,
): Promise<string | undefined> {
  if (runs.length === 0) {
    void showInfo(none);
    return undefined;
  }
  if (runs.length === 1) return runs[0]?.id;
  return (await pickOne(itemsOf(runs), { title }))?.runId;
}

/** Several runs; `chosen` are ticked already. */
export async function pickRuns(
  runs: readonly RunInfo[],
  title: string,
  chosen: readonly string[],
): Promise<string[] | undefined> {
  const items = itemsOf(runs).map((item) => ({ ...item, picked: chosen.includes(item.runId) }));
  const picked = await pickMany(items, { title });
  return picked?.map(({ runId }) => runId);
}

function itemsOf(runs: readonly RunInfo[]): (vscode.QuickPickItem & { runId: string })[] {
  const labels = runLabels(runs);
  return runs.map(({ id, state }) => ({
    label: labels.get(id) ?? id,
    description: stateWords[state],
    runId: id,
  }));
}
