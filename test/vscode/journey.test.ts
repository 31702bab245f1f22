/**
 * The first hour of someone who has just installed the packaged extension: from a folder that is not
 * trusted to two runs side by side. One window, one step after the other.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Frame, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readRunConfig } from '../../src/runs/config.js';
import { mistake } from '../../scripts/demo/generate.js';
import { openRun, readEvents } from '../../src/runs/runFolder.js';
import { seriousFindings } from '../pages/axe.js';
import { packagedExtension } from './packaged.js';
import { openWorkbench, type Workbench } from './workbench.js';

/** A step that trains waits for it; a busy machine takes several times what an idle one does. */
const trainingMs = 120_000;
const poll = { timeout: 60_000, interval: 100 };

describe.sequential('a newcomer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-journey-'));
  let workbench: Workbench;
  let isLost = false;
  /** Told by the pages: the file of the first run, whose folder also holds the others'. */
  let runFile = '';

  beforeAll(async () => {
    workbench = await openWorkbench({
      folder,
      extensions: [packagedExtension()],
      workspaceTrust: true,
      settings: {
        'security.workspace.trust.startupPrompt': 'always',
        // Whether a quote typed is closed at once depends on how far colouring has come.
        'editor.autoClosingQuotes': 'never',
      },
    });
    workbench.page.setDefaultTimeout(poll.timeout);
  });
  beforeEach(({ skip }) => skip(isLost, 'the step before it failed'));
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    isLost = true;
    mkdirSync('.cfs/failures', { recursive: true });
    const name = task.name.replaceAll(/\W+/g, '-');
    await workbench.screenshot(join('.cfs/failures', `journey-${name}.png`));
  });
  afterAll(async () => {
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const button = (name: string, within?: Locator): Locator =>
    (within ?? workbench.page).getByRole('button', { name, exact: true });
  const mixPage = (): Promise<Frame> => workbench.webview('What to train');
  const inspector = (): Promise<Frame> => workbench.webview('Probability in %');
  const curvesPage = (): Promise<Frame> => workbench.webview('Change from base');
  /** A run in the tree, as a screen reader tells it. */
  const inTree = (words: RegExp): Locator =>
    workbench.page.locator('.pane').getByRole('treeitem', { name: words });
  const demo = (): string =>
    new URL(workbench.page.url()).searchParams.get('folder') ?? 'no folder is open';

  it('reads why nothing runs in a folder that is not trusted', async () => {
    await button("No, I don't trust the authors").click();
    await workbench.showView('CFS Studio');
    await workbench.page.getByText('CFS Studio is disabled because').waitFor();
    const offered = await workbench.commands('CFS: ');
    expect(offered.filter((title) => title.startsWith('CFS: '))).toEqual([
      'CFS: Open Demo Workspace',
    ]);
  });

  it('trusts the folder, and is told how to begin', async () => {
    await button('Manage Workspace Trust').click();
    await button('Trust', workbench.page.locator('.workspace-trust-editor')).click();
    await workbench.page.getByText('No runs yet.').waitFor();
    await workbench.webview('No samples yet');
  });

  it('finds a walkthrough of four steps', async () => {
    await workbench.command('Welcome: Open Walkthrough...');
    await workbench.page
      .locator('.quick-input-widget')
      .getByText('Fine-tune without forgetting')
      .click();
    const steps = workbench.page.locator('.gettingStartedContainer .step-title');
    await expect
      .poll(() => steps.allInnerTexts(), poll)
      .toEqual([
        'Try it on the demo model',
        'Choose your base model',
        'Fine-tune your dataset',
        'Read the forgetting curves',
      ]);
  });

  it('opens the demo from the walkthrough, as a folder of their own', async () => {
    await button('Open Demo Workspace', workbench.page.locator('.gettingStartedContainer')).click();
    await workbench.page.waitForURL(/folder=.*demo$/);
    await button('Yes, I trust the authors').click();
    await workbench.page.locator('.explorer-folders-view').getByText('dataset.jsonl').waitFor();
    expect(basename(dirname(demo()))).toBe('cfs-studio.cfs-studio');
  });

  it('reads in the Problems panel what is wrong in a dataset, and where', async () => {
    await workbench.chooseInExplorerMenu(mistake.file, 'Fine-tune with CFS');
    const [file, problem] = await workbench.problems();
    expect(file).toContain(mistake.file);
    expect(problem).toContain('This line is not valid JSON: a closing quote is missing.');
    expect(problem).toContain('Correct the line at this column, or delete it');
    expect(problem).toContain(`[Ln ${mistake.line}, `);
    const page = await mixPage();
    await page.getByText('200 read, 199 used.').waitFor();
    // Of this dataset alone: the next one's page must not have it.
    await openAdvanced(page, 'training.steps');
    await set(page, 'training.steps', '7');
    await page.getByText('7 steps', { exact: true }).waitFor();
  });

  it('corrects the line, and the problem is gone', async () => {
    const { page } = workbench;
    await page.locator('.markers-panel').getByText('closing quote').dblclick();
    await page.locator('.tabs-container').getByRole('tab', { name: mistake.file }).waitFor();
    await page.locator('.editor-instance .monaco-editor.focused').waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.type('"');
    await page.keyboard.press('Control+S');
    await page.getByText('No problems have been detected').waitFor();
    const line = readFileSync(join(demo(), mistake.file), 'utf8').split('\n')[mistake.line - 1];
    expect(JSON.parse(line ?? '')).toHaveProperty('completion');
    // Its panel would take half of the pages' room.
    await page.keyboard.press('Control+J');
  });

  it('sees what a dataset would do before anything runs', async () => {
    await workbench.chooseInExplorerMenu('dataset.jsonl', 'Fine-tune with CFS');
    const page = await mixPage();
    await page.getByText('2,000 read, 2,000 used.').waitFor();
    await page.getByRole('row', { name: /^Your dataset 2,000 191,790 / }).waitFor();
    await page.getByRole('row', { name: /^Samples 200 / }).waitFor();
    await page.getByText('138 steps', { exact: true }).waitFor();
    await page.getByText('It will fit.').waitFor();
    await page.getByText('Total time').waitFor();
    expect(await page.locator('.batch > li').count()).toBeGreaterThan(3);
    // Of a row of the dataset, what the model reads and what it learns to write.
    const row = page.locator('.batch > li').first();
    expect(await row.locator('.token:not(.supervised)').count()).toBeGreaterThan(3);
    expect(await row.locator('.token.supervised').count()).toBeGreaterThan(3);
    expect(await seriousFindings(page)).toEqual([]);
  });

  it('sets the mix, and the preview follows', async () => {
    const page = await mixPage();
    await set(page, 'name', 'first try');
    await set(page, 'generation.budget', '0.2');
    await page.getByRole('row', { name: /^Samples 400 / }).waitFor();
    await page.getByText('150 steps', { exact: true }).waitFor();
    await set(page, 'mix.lambda', '0.5');
    await set(page, 'training.learningRate', '0.001');
    await openAdvanced(page, 'evaluation.every');
    await set(page, 'evaluation.every', '20');
    await set(page, 'evaluation.subset', '20');
  });

  it('has the samples generated, and reads the same settings in run.yaml', async () => {
    await workbench.showView('CFS Studio');
    await workbench.webview('No samples yet');
    const page = await mixPage();
    await button('Generate Samples First', page.locator('.start-bar')).dblclick();
    const notice = page.locator('.start-bar', { hasText: 'The settings are written to' });
    runFile = await notice.locator('vscode-link').innerText();
    await workbench.notification('first try: ').waitFor();
    const config = readRunConfig(runFile);
    expect(config).toMatchObject({
      name: 'first try',
      model: join(demo(), 'model'),
      dataset: [{ path: join(demo(), 'dataset.jsonl') }],
      method: 'cfs',
      generation: { budget: 0.2 },
      mix: { lambda: 0.5 },
      training: { learningRate: 0.001 },
      evaluation: { every: 20, subset: 20 },
    });
  });

  it('sees the samples arrive', { timeout: trainingMs }, async () => {
    const page = await inspector();
    const counts = new Set<number>();
    await expect
      .poll(
        async () => {
          const count = await countOf(page);
          counts.add(count);
          return count;
        },
        { ...poll, timeout: trainingMs },
      )
      .toBe(400);
    // More than once in between: they came one after the other.
    expect(counts.size).toBeGreaterThan(2);
    const shades = page.locator('.sample .token').evaluateAll((tokens) => {
      const colors = tokens.map((token) => getComputedStyle(token).backgroundColor);
      return new Set(colors).size;
    });
    expect(await shades).toBeGreaterThan(3);
    expect(await seriousFindings(page)).toEqual([]);
  });

  it('leaves one out and trains on the others', { timeout: trainingMs }, async () => {
    const page = await inspector();
    const train = page.getByRole('button', { name: 'Train on these samples' });
    await train.waitFor();
    const sample = page.locator('.sample').first();
    const index = Number(await sample.getAttribute('data-sample'));
    await sample.getByRole('button', { name: /^Exclude sample / }).click();
    await page.locator('.sample.excluded').waitFor();
    const mix = await mixPage();
    await button('Train on These Samples', mix.locator('.start-bar')).click();
    const excluded = readFileSync(join(dirname(runFile), 'excluded.json'), 'utf8');
    expect(JSON.parse(excluded)).toEqual({ excluded: [index] });
    await inTree(/^first try, Running/).waitFor();
    await expect
      .poll(() => readEvents(openRun(dirname(runFile))), { ...poll, timeout: trainingMs })
      .toContainEqual(expect.objectContaining({ type: 'samples_chosen', excluded: [index] }));
    // Neither the double click nor this one made another.
    expect(readdirSync(dirname(dirname(runFile)))).toEqual([basename(dirname(runFile))]);
  });

  it('watches the curves grow', { timeout: trainingMs }, async () => {
    await workbench.command('CFS: Show Forgetting Curves');
    const page = await curvesPage();
    // Four tasks, before training and at step 20.
    await expect
      .poll(() => pointsOf(page, 'tasks-fraction'), { ...poll, timeout: trainingMs })
      .toBeGreaterThanOrEqual(8);
    const before = await pointsOf(page, 'loss');
    await expect.poll(() => pointsOf(page, 'loss'), poll).toBeGreaterThan(before);
    for (const chart of ['tasks-fraction', 'loss']) {
      expect(await colorsOf(page, chart)).toBeGreaterThan(20);
    }
    expect(await seriousFindings(page)).toEqual([]);
  });

  it('stops the run, with its work kept', { timeout: trainingMs }, async () => {
    const row = inTree(/^first try, Running/);
    await row.hover();
    await row.getByRole('button', { name: 'Stop Run' }).click();
    await inTree(/^first try, Stopped, .* stopped at step \d+/).waitFor({ timeout: trainingMs });
    expect(readdirSync(join(dirname(runFile), 'checkpoints'))).toHaveLength(1);
  });

  it('reloads the window and finds everything as it was', async () => {
    const points = await pointsOf(await curvesPage(), 'loss');
    await workbench.reload();
    await inTree(/^first try, Stopped/).waitFor();
    const page = await curvesPage();
    await expect.poll(() => pointsOf(page, 'loss'), poll).toBe(points);
  });

  it('resumes with one click, and it ends', { timeout: trainingMs }, async () => {
    const page = await curvesPage();
    await page.getByRole('button', { name: 'Resume: first try' }).click();
    await workbench.notification('“first try” has finished.').waitFor({ timeout: trainingMs });
    await inTree(/^first try, Finished, .* 150 steps/).waitFor();
    await expect.poll(() => pointsOf(page, 'loss'), poll).toBe(3 * 150);
  });

  it('opens the report', async () => {
    await workbench
      .notification('“first try” has finished.')
      .getByRole('button', { name: 'Open Report' })
      .click();
    const report = await workbench.webview('fine-tuning report');
    expect(await report.getByRole('heading', { level: 1 }).innerText()).toBe('first try');
    expect(await report.locator('canvas').count()).toBeGreaterThan(2);
    const drawn = await report.locator('canvas').evaluateAll(colorsOfEach);
    expect(Math.min(...drawn)).toBeGreaterThan(5);
  });

  it('runs it once more the usual way', { timeout: trainingMs }, async () => {
    await workbench.command('CFS: Configure Mix');
    const page = await mixPage();
    await page.locator('[data-field="method"] vscode-dropdown').click();
    await page.locator('[data-field="method"] vscode-option', { hasText: 'Standard' }).click();
    await set(page, 'name', 'the usual way');
    await openAdvanced(page, 'training.steps');
    await set(page, 'training.steps', '20');
    await page.getByText('20 steps', { exact: true }).waitFor();
    expect(await page.getByRole('row', { name: /^Samples/ }).count()).toBe(0);
    await button('Start a New Run', page.locator('.start-bar')).click();
    const finished = workbench.notification('“the usual way” has finished.');
    await finished.waitFor({ timeout: trainingMs });
  });

  it('compares the two, down to single answers', async () => {
    await workbench.command('CFS: Compare Runs');
    await workbench.pickAll();
    const page = await workbench.webview('Settings that differ');
    const differing = page.getByRole('region', { name: 'Settings that differ' });
    await differing.getByRole('row', { name: 'method sft cfs' }).waitFor();
    await differing.getByRole('row', { name: 'training.steps 20 –' }).waitFor();
    const scores = page.getByRole('region', { name: 'Scores' });
    await scores.getByRole('row', { name: /^Your dataset .* ▲ better/ }).waitFor();
    await page.locator('vscode-dropdown[aria-label="Task"]').click();
    await page.locator('vscode-option', { hasText: 'demo_records' }).click();
    const item = page.locator('.items > li').first();
    await item.getByText('✓ right: Base model').waitFor();
    await item.getByText('✕ wrong: the usual way').waitFor();
    for (const text of await item.locator('.item-text').allInnerTexts()) {
      expect(text.trim()).not.toBe('');
    }
    expect(await seriousFindings(page)).toEqual([]);
  });
});

async function set(page: Frame, field: string, text: string): Promise<void> {
  await page.locator(`[data-field="${field}"] input`).fill(text);
}

/** Unfolds what holds a field, if it is folded. */
async function openAdvanced(page: Frame, field: string): Promise<void> {
  const input = page.locator(`[data-field="${field}"] input`);
  if (await input.isVisible()) return;
  await page.locator('details', { has: input }).locator('summary').first().click();
}

async function countOf(page: Frame): Promise<number> {
  const text = await page
    .getByText(/^\d+ samples/)
    .first()
    .innerText();
  return Number.parseInt(text, 10);
}

/** How many points a chart says that it draws; 0 while there is none. */
async function pointsOf(page: Frame, chart: string): Promise<number> {
  const card = page.locator(`[data-chart="${chart}"]`);
  return (await card.count()) === 0 ? 0 : Number(await card.getAttribute('data-points'));
}

async function colorsOf(page: Frame, chart: string): Promise<number> {
  const [colors] = await page.locator(`[data-chart="${chart}"] canvas`).evaluateAll(colorsOfEach);
  return colors ?? 0;
}

/** Runs in the page: the different colours in each canvas; one that is empty has a single one. */
function colorsOfEach(canvases: Element[]): number[] {
  return canvases.map((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const context = (canvas as HTMLCanvasElement).getContext('2d');
    const { data } = context?.getImageData(0, 0, width, height) ?? { data: [] };
    const seen = new Set<string>();
    for (let i = 0; i < data.length; i += 4) {
      seen.add(`${data[i]},${data[i + 1]},${data[i + 2]},${data[i + 3]}`);
    }
    return seen.size;
  });
}
