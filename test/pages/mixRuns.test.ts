/**
 * What the mix page starts: one run for each time that a person asks for one, with the settings that
 * are shown, and no other run where the one that was made of them waits.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { readRunConfig, writeRunConfig } from '../../src/runs/config.js';
import { checkConfigData } from '../../src/runs/configForm.js';
import { runConfigSchema } from '../../src/runs/configSchema.js';
import { flattenFields, isRecord } from '../../src/runs/fields.js';
import { runInfo } from '../support/runInfo.js';
import { temporaryFolder } from '../support/tinyModel.js';
import { seriousFindings } from './axe.js';
import { demoValues } from './fixtures/mixHost.js';
import {
  eventually,
  input,
  openMixPages,
  shownSettings,
  startButton,
  type MixPages,
} from './fixtures/mixPage.js';
import { hasChromium } from './harness.js';

/** A setting as its control says it: of sources, their files. */
function textOf(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  if (Array.isArray(value)) {
    return JSON.stringify(value.map((each: unknown) => (isRecord(each) ? each.path : each)));
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

describe.skipIf(!hasChromium)('runs of the mix page in Chromium', () => {
  let pages: MixPages;
  beforeAll(async () => {
    pages = await openMixPages();
  });
  afterAll(() => pages.close());

  it('makes one run of a double click, and says what goes on', async () => {
    const host = pages.hostWith({});
    let answer = (): void => undefined;
    host.hold = new Promise((resolve) => {
      answer = resolve;
    });
    const page = await pages.open(host);
    await eventually(() => startButton(page).isEnabled()).toBe(true);
    await startButton(page).evaluate((button: HTMLElement) => {
      button.click();
      button.click();
    });
    const main = page.locator('.start-buttons vscode-button').first();
    await main.getByText('Starting…').waitFor();
    expect(await main.locator('button').isDisabled()).toBe(true);
    answer();
    await main.getByText('Running…').waitFor();
    await main.click({ force: true });
    await page.getByText('Started.').waitFor();
    expect(host.started).toHaveLength(1);
    // Other settings are another run.
    await input(page, 'Epochs').fill('2');
    await page.getByText('different here: Epochs').waitFor();
    await main.getByText('Start a New Run').click();
    await eventually(() => host.started.length).toBe(2);
  });

  it('continues the run whose samples were generated, and makes another only for others', async () => {
    const host = pages.hostWith({});
    const page = await pages.open(host);
    const main = page.locator('.start-buttons vscode-button').first();
    await page.getByText('Generate Samples First').click();
    await main.getByText('Running…').waitFor();
    const generating = { id: 'run-1', name: 'first', trained: false, phase: 'generating' } as const;
    const tell = (part: Partial<RunInfo>): void =>
      pages.opened.rpc.tell('runs', { runs: [runInfo({ ...generating, total: 20, ...part })] });
    tell({ state: 'stopped', progress: 7 });
    await main.getByText('Resume the Run').waitFor();
    tell({ state: 'stopped', progress: 20 });
    await page.getByText('The samples of “first” are ready.').waitFor();
    await main.getByText('Train on These Samples').waitFor();
    expect(await page.getByText('Generate Samples First').count()).toBe(0);

    await input(page, 'Learning rate').fill('0.002');
    await page.getByText('Changed: Learning rate.').waitFor();
    await input(page, 'Temperature').fill('0.5');
    await page.getByText('generated with another Temperature').waitFor();
    await main.getByText('Start a New Run').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await input(page, 'Temperature').fill('1');
    await main.getByText('Train on These Samples').click();
    await eventually(() => host.continued).toMatchObject([{ training: { learningRate: 0.002 } }]);
    expect(host.started).toHaveLength(1);

    tell({ state: 'running', trained: true });
    await main.getByText('Running…').waitFor();
  });

  it.each([
    ['what is chosen for a newcomer', demoValues],
    [
      'advanced settings, unfolded or not',
      {
        ...demoValues,
        seed: 7,
        generation: { count: 30, topP: 0.9, stopAtEos: false, bos: 2 },
        mix: { mode: 'shuffled', cfsShare: 0.25 },
        training: { ...demoValues.training, steps: 12, schedule: 'linear', beta2: 0.95 },
        evaluation: { holdOut: 0.1, full: false, bestBy: 'kl' },
      },
    ],
    [
      'settings that only another method uses',
      { ...demoValues, method: 'sft', generation: { budget: 0.7 }, mix: { lambda: 3 } },
    ],
  ])('shows what Start writes into run.yaml: %s', async (_, values) => {
    const host = pages.hostWith({}, values);
    const page = await pages.open(host);
    await eventually(() => startButton(page).isEnabled()).toBe(true);
    const shown = await shownSettings(page);
    await startButton(page).click();
    await page.getByText('Started.').waitFor();
    const check = checkConfigData(host.started[0]?.values ?? {});
    if ('problems' in check) throw new Error(JSON.stringify(check.problems));
    const folder = temporaryFolder();
    writeRunConfig(check.config, join(folder, 'run.yaml'));
    const written = flattenFields(readRunConfig(join(folder, 'run.yaml')));
    const { model, dataset, method } = check.config;
    const standard = flattenFields(runConfigSchema.parse({ model, dataset, method }));
    expect(shown.size).toBeGreaterThan(30);
    for (const field of new Set([...shown.keys(), ...Object.keys(written)])) {
      // What is not on the page is at its default.
      const expected = shown.has(field) ? shown.get(field) : textOf(standard[field]);
      expect(textOf(written[field]), field).toBe(expected);
    }
  });
});
