import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { CfsError } from '../../src/errors.js';
import { formatNumber } from '../../src/protocol/format.js';
import type { MixAnswer, MixState } from '../../src/protocol/panel.js';
import type { FindingRecord } from '../../src/protocol/preview.js';
import { seriousFindings } from './axe.js';
import {
  demoDataset,
  demoModel,
  demoValues,
  fittingEstimate,
  mixHost,
} from './fixtures/mixHost.js';
import {
  eventually,
  field,
  input,
  openMixPages,
  startButton,
  type MixPages,
} from './fixtures/mixPage.js';
import { hasChromium } from './harness.js';

async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const at = document.activeElement;
    return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
  });
}

/** Presses Tab until the focus is where it is wanted; fails when it never gets there. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 150; presses++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches “${name}”`);
}

describe.skipIf(!hasChromium)('the mix page in Chromium', () => {
  let pages: MixPages;
  beforeAll(async () => {
    pages = await openMixPages();
  });
  afterAll(() => pages.close());

  it.each(['dark', 'light', 'high-contrast'] as const)('is accessible (%s)', async (theme) => {
    const page = await pages.open(mixHost(demoValues), { theme });
    await page.getByText('The first batch').waitFor();
    await page.evaluate(() => {
      for (const each of document.querySelectorAll('details')) each.open = true;
    });
    expect(await seriousFindings(page)).toEqual([]);
    expect(pages.opened.errors).toEqual([]);
  });

  it('fits into a narrow panel', async () => {
    const page = await pages.open(mixHost(demoValues), { width: 480 });
    await page.getByText('The first batch').waitFor();
    const [content, shown] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(content).toBe(shown);
  });

  it('shows what the mixer says, and leads to the rows', async () => {
    const host = mixHost(demoValues);
    const page = await pages.open(host);
    await page.getByText('The first batch').waitFor();
    const { mix } = pages.preview;
    const cells = await page.locator('.sources tbody tr').first().locator('td').allTextContents();
    expect(cells).toEqual(
      [
        mix?.sources[0]?.rows,
        mix?.sources[0]?.tokens,
        mix?.sources[0]?.supervisedTokens,
        mix?.sources[0]?.longest,
      ].map((number) => formatNumber(number)),
    );
    const [row] = mix?.batch ?? [];
    const tokens = page.locator('.batch .tokens').first().locator('.token');
    expect(await tokens.allTextContents()).toEqual(
      row?.tokens.slice(0, 80).map(({ text }) => text.replaceAll('\n', '⏎\n')),
    );
    const supervised = page.locator('.batch .tokens').first().locator('.token.supervised');
    expect(await supervised.count()).toBe(
      row?.tokens.slice(0, 80).filter((token) => token.supervised).length,
    );
    expect(await page.getByText('not generated yet', { exact: true }).count()).toBe(1);
    await page.getByText(`line ${row?.origin?.line}`, { exact: true }).click();
    await eventually(() => host.openedFiles).toEqual([
      { file: demoDataset, line: row?.origin?.line },
    ]);
    await page.getByText(`Show all ${mix?.batch.length} rows`).click();
    await eventually(() => page.locator('.batch > li').count()).toBe(mix?.batch.length);
  });

  it('takes numbers as they are typed, asks once, and resets to the default', async () => {
    const host = mixHost(demoValues);
    const page = await pages.open(host);
    await page.getByText('The first batch').waitFor();
    const asked = host.previewed.length;
    const rate = input(page, 'Learning rate');
    await rate.fill('');
    await rate.pressSequentially('2e-4');
    expect(await rate.inputValue()).toBe('2e-4');
    await rate.press('ArrowLeft');
    await rate.press('ArrowLeft');
    await rate.press('ArrowLeft');
    await rate.pressSequentially('5');
    expect(await rate.inputValue()).toBe('25e-4');
    await eventually(() => host.previewed.at(-1)?.training).toEqual({
      ...demoValues.training,
      learningRate: 25e-4,
    });
    expect(host.previewed.length).toBeLessThan(asked + 6);
    await page.getByRole('button', { name: 'Reset to 0.000005: Learning rate' }).click();
    await eventually(() => host.previewed.at(-1)?.training).toEqual({ maxLength: 256 });
    expect(await rate.inputValue()).toBe('');
    expect(await rate.getAttribute('placeholder')).toBe('0.000005');
  });

  it('tells a problem at its field and why it cannot start', async () => {
    const page = await pages.open(mixHost(demoValues), { theme: 'light' });
    await page.getByText('The first batch').waitFor();
    await input(page, 'Epochs').fill('0');
    await page.getByText('Must be above 0.').waitFor();
    const epochs = field(page, 'Epochs');
    expect(await epochs.getAttribute('aria-invalid')).toBe('true');
    const described = (await epochs.getAttribute('aria-describedby')) ?? '';
    const [about] = described.split(' ');
    expect(await page.locator(`[id="${about}"]`).textContent()).toContain('Must be above 0.');
    await page.getByText('Correct first: 1 setting.').waitFor();
    await page.getByText('Below is the preview of the previous settings.').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    expect(await startButton(page).isDisabled()).toBe(true);
    await input(page, 'Epochs').fill('2');
    await eventually(() => startButton(page).isEnabled()).toBe(true);
    expect(await epochs.getAttribute('aria-invalid')).toBeNull();
  });

  it('says in place of a first preview that settings must be corrected', async () => {
    const page = await pages.open(
      mixHost({ ...demoValues, method: 'lora', training: { steps: 0.5 } }),
    );
    await page.getByText('Correct the marked settings').waitFor();
    await page.getByText('Must be one of `sft`, `cfs`.').waitFor();
    // Steps are folded away; what is wrong opens them.
    await page.getByText('Must be a whole number.').waitFor({ state: 'visible' });
  });

  it('lets the latest values win', async () => {
    const host = mixHost(demoValues);
    const waiting: { epochs: unknown; answer: (answer: MixAnswer) => void }[] = [];
    host.answer = (values) =>
      new Promise((answer) => {
        waiting.push({ epochs: (values.training as { epochs?: unknown }).epochs, answer });
      });
    const reply = (epochs: number | undefined, steps: number): void => {
      const { preview } = pages;
      const mix = preview.mix && { ...preview.mix, steps };
      waiting
        .find((each) => each.epochs === epochs)
        ?.answer({ problems: [], preview: { ...preview, mix } });
    };
    const page = await pages.open(host);
    await eventually(() => waiting.length).toBe(1);
    pages.opened.rpc.tell('previewProgress', { file: demoDataset, rows: 12_000 });
    await page.getByText('Reading dataset.jsonl: 12,000 rows…').waitFor();
    reply(undefined, 111);
    await page.getByText('111 steps').waitFor();
    await input(page, 'Epochs').fill('2');
    await eventually(() => waiting.length).toBe(2);
    await input(page, 'Epochs').fill('3');
    await eventually(() => waiting.length).toBe(3);
    reply(3, 333);
    await page.getByText('333 steps').waitFor();
    reply(2, 222);
    await page.waitForTimeout(100);
    expect(await page.getByText('333 steps').count()).toBe(1);
  });

  it('leads a newcomer from nothing to a start, by keyboard alone', async () => {
    const host = mixHost({});
    host.picks.push([demoModel], [demoDataset]);
    const page = await pages.open(host);
    await page.getByText('Choose first: Base model and Dataset.').waitFor();
    expect(await startButton(page).isDisabled()).toBe(true);
    await tabTo(page, 'Browse for Base model');
    await page.keyboard.press('Enter');
    await page.getByText('Choose first: Dataset.').waitFor();
    await tabTo(page, 'Browse for Dataset');
    await page.keyboard.press('Enter');
    await page.getByText('The first batch').waitFor();
    await tabTo(page, 'Epochs');
    await page.keyboard.type('2');
    await eventually(() => host.previewed.at(-1)?.training).toEqual({ epochs: 2 });
    await eventually(() => startButton(page).isEnabled()).toBe(true);
    await tabTo(page, 'Start Fine-Tuning');
    await page.keyboard.press('Enter');
    await page.getByText('Started.').waitFor();
    expect(host.started).toEqual([
      {
        values: {
          model: demoModel,
          dataset: [{ path: demoDataset }],
          training: { epochs: 2 },
        },
        until: 'end',
      },
    ]);
    await page.getByText('run.yaml', { exact: false }).last().click();
    await eventually(() => host.openedFiles.length).toBe(1);
  });

  it('generates samples first, where the method has samples', async () => {
    const host = mixHost(demoValues);
    const page = await pages.open(host);
    await page.getByText('Generate Samples First').click();
    await page.getByText('Started.').waitFor();
    expect(host.started[0]?.until).toBe('samples');
    expect(await page.locator('#section-mix').count()).toBe(1);
    await page.locator('vscode-dropdown[aria-label="Method"]').click();
    await page.locator('vscode-option', { hasText: 'Standard' }).click();
    await eventually(() => host.previewed.at(-1)?.method).toBe('sft');
    await eventually(() => page.getByText('Generate Samples First').count()).toBe(0);
    expect(await page.locator('#section-mix').count()).toBe(0);
    expect(host.previewed.at(-1)?.generation).toEqual(demoValues.generation);
  });

  it('draws a method that it has never heard of', async () => {
    const host = mixHost({ ...demoValues, method: 'replay' }, (state: MixState) => {
      const properties = state.schema.properties as Record<string, Record<string, unknown>>;
      properties.method = {
        ...properties.method,
        enum: ['sft', 'cfs', 'replay'],
        choices: { replay: { label: 'Replay', about: 'Train on old data too.' } },
      };
      properties.replay = {
        type: 'object',
        label: 'Old data',
        description: 'What it was trained on before.',
        methods: ['replay'],
        properties: {
          share: {
            type: 'number',
            default: 0.25,
            basic: true,
            unit: '× batch',
            description: 'How much.',
          },
          shuffle: { type: 'boolean', default: true, description: 'In another order.' },
        },
      };
    });
    host.answer = () => Promise.resolve({ problems: [], preview: pages.preview });
    const page = await pages.open(host);
    await page.getByText('What it was trained on before.').waitFor();
    await page.getByText('Train on old data too.').waitFor();
    await input(page, 'Share').fill('0.5');
    await page.locator('summary', { hasText: 'Advanced: Old data' }).click();
    await page.locator('vscode-checkbox', { hasText: 'Shuffle' }).click();
    await eventually(() => host.previewed.at(-1)?.replay).toEqual({ share: 0.5, shuffle: false });
  });

  it('shows texts of a dataset as text', async () => {
    const text = '<img src=x onerror="document.title=1"><b>bold</b>';
    const host = pages.hostWith({
      dataset: {
        ...pages.preview.dataset,
        errors: 1,
        counts: { DATASET_ROW_INVALID: 1 },
        problems: [
          {
            severity: 'error',
            code: 'DATASET_ROW_INVALID',
            message: `Unknown column ${text}`,
            remedy: 'Rename it.',
            file: demoDataset,
            line: 7,
          },
        ],
      },
      mix: pages.preview.mix && {
        ...pages.preview.mix,
        batch: [{ source: 'dataset', row: 0, tokens: [{ text, supervised: true }] }],
      },
    });
    const page = await pages.open(host);
    await page.locator('.batch .token', { hasText: text }).waitFor();
    await page.getByText(`Unknown column ${text}`).waitFor();
    expect(await page.locator('main img, main b').count()).toBe(0);
    await page.getByText('Correct first: 1 mistake in the dataset.').waitFor();
    expect(pages.opened.errors).toEqual([]);
    await page.getByText('dataset.jsonl:7').click();
    await eventually(() => host.openedFiles).toEqual([{ file: demoDataset, line: 7 }]);
  });

  it('says why there is no estimate, and starts nothing', async () => {
    const problem = {
      code: 'TASK_INVALID',
      message: 'The task has no metric.',
      remedy: 'Name one.',
      place: { file: 'tasks/facts.yaml', line: 3 },
    };
    const page = await pages.open(pages.hostWith({ mix: undefined, estimate: undefined, problem }));
    await page.getByText('The task has no metric.').waitFor();
    await page.getByText('tasks/facts.yaml:3').waitFor();
    await page.getByText('The preview shows what is wrong.').waitFor();
    expect(await page.getByText('No row of the dataset can be trained on.').count()).toBe(0);
  });

  it('tells each finding of the preview at its field, and starts nothing with an error', async () => {
    const [task, batch, budget, folder] = [
      'The task has no metric.',
      'One row is too few.',
      'That is less than one sample.',
      'The folder cannot be written.',
    ];
    const finding = (
      severity: FindingRecord['severity'],
      field: string,
      message: string,
    ): FindingRecord => ({
      severity,
      field,
      error: { code: 'MADE_UP', message, remedy: '', place: {} },
    });
    const warning = finding('warning', 'generation.budget', budget);
    const found = [
      finding('error', 'evaluation.tasks[0]', task),
      finding('error', 'training.batchRows', batch),
      finding('error', '', folder),
      warning,
    ];
    const page = await pages.open(pages.hostWith({ findings: found }));
    const at = (id: string, text: string) =>
      page.locator(`[data-field="${id}"] .problem`, { hasText: text });
    await at('evaluation.tasks', task).waitFor();
    // An advanced setting is unfolded.
    await at('training.batchRows', batch).waitFor({ state: 'visible' });
    await page.locator('.mix-form > .notice.failure', { hasText: folder }).waitFor();
    await page.getByText('Correct first: 2 settings.').waitFor();
    expect(await startButton(page).isDisabled()).toBe(true);
    // The preview is that of these settings.
    expect(await page.getByText('the preview of the previous settings').count()).toBe(0);
    const rows = field(page, 'Rows per batch');
    expect(await rows.getAttribute('aria-invalid')).toBe('true');
    await at('generation.budget', budget).waitFor();
    const warned = field(page, 'Generation budget');
    expect(await warned.getAttribute('aria-invalid')).toBeNull();
    expect(await warned.getAttribute('aria-describedby')).toContain('warning-generation.budget');
    expect(await seriousFindings(page)).toEqual([]);

    const mild = await pages.open(pages.hostWith({ findings: [warning] }));
    await mild.locator('[data-field="generation.budget"] .problem').waitFor();
    await eventually(() => startButton(mild).isEnabled()).toBe(true);
  });

  it('says when it will not fit, and what is wrong with a model', async () => {
    const reason = 'Lower training.maxTokensPerMicroBatch.';
    const needed = 30 * 2 ** 30;
    const memory = { ...fittingEstimate.memory, needed };
    const host = pages.hostWith({
      estimate: { ...fittingEstimate, memory, verdict: 'too-large', reason },
    });
    const page = await pages.open(host);
    await page.getByText('It will not fit.').waitFor();
    await page.getByText(reason).waitFor();
    expect(await page.locator('.meter').getAttribute('aria-valuetext')).toBe('30 GiB of 15.2 GiB');
    host.answer = () => {
      throw new CfsError({
        code: 'MODEL_FOLDER_MISSING',
        message: 'There is no config.json.',
        remedy: 'Choose a Hugging Face folder.',
      });
    };
    await input(page, 'Base model').fill('/elsewhere');
    await page.getByText('Choose a Hugging Face folder.').waitFor();
    expect(await startButton(page).isDisabled()).toBe(true);
  });

  it('says why nothing can be started here', async () => {
    const host = mixHost(demoValues, (state) => {
      state.blocked = 'Open a folder first.';
    });
    const page = await pages.open(host);
    await page.getByText('The first batch').waitFor();
    await page.getByText('Open a folder first.').waitFor();
    expect(await startButton(page).isDisabled()).toBe(true);
  });

  it('is as it was after a reload, and is filled from outside', async () => {
    const host = mixHost(demoValues);
    let page = await pages.open(host);
    await page.locator('summary', { hasText: 'Advanced: Training' }).click();
    await input(page, 'Rows per batch').fill('8');
    await eventually(() => host.previewed.at(-1)?.training).toMatchObject({ batchRows: 8 });
    page = await pages.open(host, { state: pages.opened.state() });
    await input(page, 'Rows per batch').waitFor({ state: 'visible' });
    expect(await input(page, 'Rows per batch').inputValue()).toBe('8');
    // Told while a person types on: what is suggested, for instance.
    await input(page, 'Rows per batch').fill('9');
    pages.opened.rpc.tell('mixState', await host.handlers.mixState({}));
    await eventually(() => host.previewed.at(-1)?.training).toMatchObject({ batchRows: 9 });
    expect(await input(page, 'Rows per batch').inputValue()).toBe('9');
    const state = await host.handlers.mixState({});
    const other = { ...state, draft: 'second', values: { name: 'from outside' } };
    pages.opened.rpc.tell('mixState', other);
    await page.getByText('First steps').waitFor();
    expect(await input(page, 'Name').inputValue()).toBe('from outside');
  });
});
