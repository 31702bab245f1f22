/**
 * Runs for tests in a real VS Code: workspaces with runs that wait to be resumed, rows and menus of
 * the tree, and the processes behind them.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errors, type Locator } from 'playwright-core';
import { runConfigSchema } from '../../src/runs/configSchema.js';
import { createRun, readEvents, type RunFolder } from '../../src/runs/runFolder.js';
import { openRunWriter } from '../../src/runs/runWriter.js';
import type { RunEvent } from '../../src/protocol/records.js';
import type { Workbench } from '../vscode/workbench.js';
import { makeSamples } from './inspectorSamples.js';

/** A new folder with the demo's model and 200 rows of its dataset. */
export function makeWorkspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-workspace-'));
  cpSync('media/demo/model', join(folder, 'model'), { recursive: true });
  const rows = readFileSync('media/demo/dataset.jsonl', 'utf8').split('\n').slice(0, 200);
  writeFileSync(join(folder, 'data.jsonl'), `${rows.join('\n')}\n`);
  return folder;
}

/**
 * A run that has not started and can be resumed: training alone, with a checkpoint after every ten
 * steps. A step takes some tens of milliseconds.
 */
export function addRun(workspace: string, name: string, steps: number): RunFolder {
  const config = runConfigSchema.parse({
    name,
    model: join(workspace, 'model'),
    dataset: join(workspace, 'data.jsonl'),
    method: 'sft',
    provider: 'cpu',
    training: { learningRate: 1e-3, steps, checkpointEvery: 10, batchRows: 8 },
    evaluation: { every: 0, klSamples: 0 },
  });
  return createRun(workspace, config);
}

/** Gives a run `count` samples of about `length` tokens, each text naming the run and the sample. */
export function writeSamples(run: RunFolder, count: number, length: number): void {
  const writer = openRunWriter(run);
  writer.appendSamples(
    makeSamples(count, length).map(({ summary, tokens: { pieces, logprobs } }) => {
      const { index, text, stop } = summary;
      const title = `${run.config.name} ${index}: `;
      return {
        index,
        bosId: 0,
        tokens: [0, ...pieces.map((_, at) => at + 1)],
        text: `${title}${text}`,
        pieces: [title, ...pieces],
        logprobs: [-0.5, ...logprobs],
        entropy: 1,
        stop,
      };
    }),
  );
  writer.close();
}

/** Gives a run steps of training and the end of being stopped. */
export function writeSteps(run: RunFolder, steps: number): void {
  const writer = openRunWriter(run);
  const time = new Date().toISOString();
  writer.appendEvent({ type: 'phase', time, phase: 'training', progress: 0, total: steps });
  for (let step = 1; step <= steps; step++) {
    writer.appendEvent({
      type: 'train_step',
      time,
      step,
      loss: 3 / step,
      losses: { dataset: 3 / step },
      learningRate: 1e-3,
      gradNorm: 1,
      tokens: 1000,
      tokensPerSecond: 1000,
      secondsLeft: 0,
    });
  }
  writer.appendEvent({ type: 'run_stopped', time, step: steps });
  writer.close();
}

/** The row of a run in the tree; only while it is in `state`, where that is given. */
export function runRow({ page }: Workbench, name: string, state = '[A-Z]'): Locator {
  return page
    .getByRole('tree', { name: 'Runs' })
    .getByRole('treeitem', { name: new RegExp(`^${name}, ${state}`) });
}

/** Picks an entry of a run's context menu. */
export async function chooseOfRun(
  workbench: Workbench,
  name: string,
  entry: string,
): Promise<void> {
  await openRunMenu(workbench, name);
  await clickMenuEntry(workbench, entry);
}

export async function clickMenuEntry({ page }: Workbench, entry: string): Promise<void> {
  const menu = page.locator('.context-view .monaco-menu');
  const item = menu.locator('.action-item', { has: page.getByText(entry, { exact: true }) });
  // A disabled entry takes a click and does nothing.
  if ((await item.getAttribute('class'))?.split(' ').includes('disabled')) {
    throw new Error(`The menu entry “${entry}” is disabled.`);
  }
  await item.click();
  // Else the next right click could meet this menu while it closes.
  await menu.waitFor({ state: 'hidden' });
}

/** Opens a run's context menu and returns what is in it. */
export async function openRunMenu(workbench: Workbench, name: string): Promise<string[]> {
  const { page } = workbench;
  const entries = page.locator('.context-view .monaco-menu .action-label');
  const texts = async (): Promise<string[]> =>
    (await entries.allInnerTexts()).map((entry) => entry.trim()).filter((text) => text !== '');
  const opens = async (timeout: number): Promise<boolean> => {
    await runRow(workbench, name).click({ button: 'right' });
    try {
      await entries.first().waitFor({ timeout });
      return true;
    } catch (error) {
      if (!(error instanceof errors.TimeoutError)) throw error;
      return false;
    }
  };
  // A row that is drawn again just then takes its menu away; a person clicks once more.
  for (let attempt = 0; !(await opens(5000)); attempt++) {
    if (attempt === 5) throw new Error(`The run ${name} opens no menu.`);
  }
  // The menu is drawn before its entries are final: two readings have to agree.
  for (let before: string[] = []; ;) {
    await page.waitForTimeout(400);
    const now = await texts();
    if (now.length > 0 && now.join() === before.join()) return now;
    before = now;
  }
}

/** What a run has told so far; nothing before it began. */
export function eventsOf<T extends RunEvent['type']>(
  run: RunFolder,
  type: T,
): Extract<RunEvent, { type: T }>[] {
  const isOfType = (event: RunEvent): event is Extract<RunEvent, { type: T }> =>
    event.type === type;
  return readEvents(run).filter(isOfType);
}

/** The process that holds the run's lock. */
export function enginePid(run: RunFolder): number {
  return (JSON.parse(readFileSync(run.paths.lock, 'utf8')) as { pid: number }).pid;
}

export interface Process {
  pid: number;
  parent: number;
  command: string;
}

/** All processes of this machine. */
export function processes(): Process[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return lines.split('\n').flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

/** Engines and preview processes of one VS Code, by the names of their bundles. */
export function programsOf({ server }: Workbench): string[] {
  return processes().flatMap(({ command }) => {
    const script = /dist\/(engine|preview)\.js/.exec(command)?.[1];
    return script !== undefined && command.includes(server.home) ? [script] : [];
  });
}

export function isAlive(pid: number): boolean {
  return processes().some((process) => process.pid === pid && !process.command.includes('defunct'));
}
