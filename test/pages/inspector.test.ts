import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { defaultView } from '../../webview-ui/inspector/view.js';
import { openInspector } from '../support/inspectorPage.js';
import { makeRun, makeSamples, sampleOf } from '../support/inspectorSamples.js';
import { seriousFindings } from './axe.js';
import { hasChromium, launchBrowser } from './harness.js';
import type { ThemeName } from './themes.js';

const samples = makeSamples(200);
const bos = { id: 0, token: '<|begin|>', reason: 'The tokenizer names it.' };

/** Numbers of the samples in the page, from the upper edge down, as they are written there. */
const numbers = (page: Page): Promise<string[]> => page.locator('.sample-number').allTextContents();
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');

describe.skipIf(!hasChromium)('the sample inspector in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('explains samples where there are none, and leads to the mix page', async () => {
    const opened = await openInspector(browser, { state: { runs: [], selected: undefined } });
    await opened.page.getByText('No samples yet').waitFor();
    await opened.page.getByText('Generate samples for a dataset…').click();
    await expect.poll(() => opened.asked.map(({ method }) => method)).toContain('openMix');
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('shows samples as they are written', async () => {
    const run = makeRun({ state: 'running', total: 200, secondsLeft: 30 });
    const few = samples.slice(0, 42);
    const opened = await openInspector(browser, { samples: few, state: { runs: [run] } });
    await opened.page.getByText('42 of 200 generated, 30 s left').waitFor();
    await opened.page.getByText('42 samples', { exact: true }).waitFor();
    const more = samples.slice(42, 60).map(({ summary }) => summary);
    opened.rpc.tell('samples', { runId: run.id, first: false, samples: more });
    await opened.page.getByText('60 samples', { exact: true }).waitFor();
    await opened.page.getByText('60 of 200 generated').waitFor();
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('never makes HTML of a text, and shows what has no shape', async () => {
    const pieces = ['<img', ' src=x onerror="document.title=1">', '\n', 'שלום', '\u0000', '\u202e'];
    const odd = sampleOf(0, pieces, [-1, -2, -3, -0.01, -5, -6], 'length');
    const opened = await openInspector(browser, { samples: [odd] });
    const text = opened.page.locator('.text');
    await text.locator('.token').first().waitFor();
    expect(await text.textContent()).toBe(
      '<img src=x onerror="document.title=1">⏎\nשלום‹U+0000›‹U+202E›',
    );
    expect(await opened.page.locator('img').count()).toBe(0);
    expect(await opened.page.title()).toBe('inspector');
    expect(
      await text.locator('.token').evaluateAll((all: Element[]) => all.map((t) => t.className)),
    ).toEqual([2, 3, 4, 0, 5, 5].map((shade) => `token shade-${shade}`));
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('sorts and filters, and says how many are shown', async () => {
    const opened = await openInspector(browser, { samples });
    const { page } = opened;
    await page.getByText('200 samples', { exact: true }).waitFor();
    const wanted = samples.filter(({ summary }) => summary.text.includes('Ørnes')).length;
    expect(wanted).toBeGreaterThan(0);
    await page.locator('vscode-text-field[aria-label="Search the samples"] input').fill('ørnes');
    await page.getByText(`${wanted} of 200 samples`).waitFor();
    await page.locator('vscode-text-field[aria-label="Search the samples"] input').fill('');
    await page.locator('vscode-dropdown[aria-label="Sort by"]').click();
    await page.locator('vscode-option', { hasText: 'Log-probability' }).click();
    const lowest = samples.reduce((a, b) =>
      a.summary.meanLogprob <= b.summary.meanLogprob ? a : b,
    );
    await expect.poll(async () => (await numbers(page))[0]).toBe(`${lowest.summary.index}`);
    await page.getByRole('button', { name: 'Order: ascending' }).click();
    const highest = samples.reduce((a, b) =>
      a.summary.meanLogprob >= b.summary.meanLogprob ? a : b,
    );
    await expect.poll(async () => (await numbers(page))[0]).toBe(`${highest.summary.index}`);

    await page.getByRole('button', { name: 'Filter', exact: true }).click();
    const long = samples.filter(({ summary }) => summary.length >= 80).length;
    await page.locator('vscode-text-field[aria-label="Length at least (tokens)"] input').fill('80');
    await page.getByText(`${long} of 200 samples`).waitFor();
    expect(opened.state()).toMatchObject({
      filtersOpen: true,
      view: { sort: 'meanLogprob', descending: true, ranges: { length: { min: '80' } } },
    });
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('excludes one sample, or all shown, and takes that back', async () => {
    const opened = await openInspector(browser, { samples });
    const { page, asked } = opened;
    const excluded = (): unknown[] =>
      asked.filter(({ method }) => method === 'exclude').map(({ params }) => params);
    await page.getByRole('button', { name: 'Exclude sample 1', exact: true }).click();
    await page.locator('[data-sample="1"].excluded .badge').waitFor();
    expect(excluded()).toEqual([{ runId: 'run-a', indices: [1], excluded: true }]);
    await page.getByText('200 samples, 1 excluded').waitFor();

    await page.locator('vscode-text-field[aria-label="Search the samples"] input').fill('ørnes');
    const wanted = samples
      .map(({ summary }) => summary)
      .filter(({ index, text }) => text.includes('Ørnes') && index !== 1)
      .map(({ index }) => index);
    await page.getByText('Exclude all shown').click();
    await page.getByText('Include all again').click();
    await page.getByText(/, 1 excluded/u).waitFor();
    expect(excluded().slice(1)).toEqual([
      { runId: 'run-a', indices: wanted, excluded: true },
      { runId: 'run-a', indices: wanted, excluded: false },
    ]);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('changes nothing once training began, and says why', async () => {
    const settled = 'Training has begun.';
    const opened = await openInspector(browser, { samples, state: { settled } });
    await opened.page.getByText('trained on').waitFor();
    await opened.page.getByText('About these samples').click();
    await opened.page.getByText(settled).waitFor();
    expect(await opened.page.locator('.sample-head .row-button').first().isDisabled()).toBe(true);
    await opened.page.locator('.sample').first().focus();
    await opened.page.keyboard.press('x');
    await expect
      .poll(() => opened.page.locator('[aria-live="polite"]').last().textContent())
      .toBe(settled);
    expect(opened.asked.map(({ method }) => method)).not.toContain('exclude');
    await opened.close();
  });

  it('is worked by keys alone: samples, their tokens, opening and excluding', async () => {
    const opened = await openInspector(browser, { samples });
    const { page, asked } = opened;
    await page.locator('.token').first().waitFor();
    await page.locator('.sample[tabindex="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => focused(page)).toContain('Sample 1,');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const tokens = samples[1]?.tokens;
    const spoken = page.locator('[aria-live="polite"]').last();
    await expect.poll(() => spoken.textContent()).toContain(`token 2 of ${tokens?.pieces.length}`);
    expect(await spoken.textContent()).toContain(`“${tokens?.pieces[1]}”`);
    expect(await page.locator('.token.current').textContent()).toBe(tokens?.pieces[1]);
    expect(await page.locator('.tooltip').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.locator('.tooltip').isVisible()).toBe(false);

    const shownTokens = (): Promise<number> => page.locator('[data-sample="1"] .token').count();
    const before = await shownTokens();
    await page.keyboard.press('Enter');
    await expect.poll(shownTokens).toBe(tokens?.pieces.length);
    expect(before).toBeLessThan(tokens?.pieces.length ?? 0);
    await page.keyboard.press('x');
    await page.locator('[data-sample="1"].excluded').waitFor();
    expect(asked.at(-1)?.params).toMatchObject({ indices: [1], excluded: true });

    await page.keyboard.press('End');
    await expect.poll(() => focused(page)).toContain('Sample 199,');
    await expect.poll(() => page.locator('[data-sample="199"]').isVisible()).toBe(true);
    expect(await page.locator('[data-sample="199"]').getAttribute('aria-posinset')).toBe('200');
    await page.keyboard.press('Home');
    await expect.poll(() => focused(page)).toContain('Sample 0,');
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('shows the exact value of a token under the pointer', async () => {
    const opened = await openInspector(browser, { samples });
    const token = opened.page.locator('[data-sample="0"] .token').nth(3);
    await token.hover();
    const tooltip = opened.page.locator('.tooltip');
    await tooltip.waitFor();
    expect(await tooltip.textContent()).toContain(`token 4 of ${samples[0]?.tokens.pieces.length}`);
    expect(await tooltip.textContent()).toMatch(/log-probability −[\d.]+/u);
    await opened.close();
  });

  it('tells the verdict on the BOS token and offers another', async () => {
    const verdict = { coherent: false, reason: 'Token 5 looks better.', betterTokenId: 5 };
    const opened = await openInspector(browser, { samples, state: { bos, verdict } });
    const { page, asked } = opened;
    await page.getByText('Samples do not read like text').waitFor();
    await page.getByText('Use token 5').click();
    await expect.poll(() => asked.at(-1)?.params).toEqual({ runId: 'run-a', tokenId: 5 });
    await page.getByText('Change…').click();
    await expect.poll(() => asked.at(-1)?.params).toEqual({ runId: 'run-a' });
    await opened.close();
  });

  it('makes one run of two clicks, also while another one is looked at', async () => {
    let answer: () => void = () => undefined;
    const asked: unknown[] = [];
    const { page, ...opened } = await openInspector(browser, {
      samples,
      state: {
        bos,
        verdict: { coherent: false, reason: 'Mean entropy 7 nats.', betterTokenId: 5 },
        runs: [makeRun({ samples: 200 }), makeRun({ id: 'run-b', name: 'Other', samples: 3 })],
      },
      handlers: {
        changeBos: async (params) => {
          asked.push(params);
          await new Promise<void>((resolve) => (answer = resolve));
          return {};
        },
      },
    });
    const use = page.getByText('Use token 5');
    const twice = (node: Element): void => {
      (node as HTMLElement).click();
      (node as HTMLElement).click();
    };
    await use.evaluate(twice);
    await page.locator('vscode-dropdown[aria-label="Run"]').click();
    await page.locator('vscode-option', { hasText: 'Other' }).click();
    await expect.poll(() => opened.asked.map(({ method }) => method)).toContain('select');
    await use.evaluate(twice);
    answer();
    await expect.poll(() => use.evaluate((node) => node.hasAttribute('disabled'))).toBe(false);
    expect(asked).toEqual([{ runId: 'run-a', tokenId: 5 }]);
    await opened.close();
  });

  it('goes on to training from a stopped run, and shows a refusal', async () => {
    const stopped = { diagnostics: diagnosticsOf(200) };
    const opened = await openInspector(browser, {
      samples,
      state: stopped,
      handlers: {
        resume: () => {
          throw new Error('The run is locked.');
        },
      },
    });
    expect(await opened.page.getByText('Resume Generating').count()).toBe(0);
    await opened.page.getByText('Train on These Samples').click();
    await opened.page.getByRole('alert').getByText('The run is locked.').waitFor();
    await opened.close();
  });

  it('resumes a run that was stopped while it wrote, to read first or to the end', async () => {
    const run = makeRun({ samples: 40, total: 200 });
    const opened = await openInspector(browser, {
      samples: samples.slice(0, 40),
      state: { runs: [run] },
    });
    await opened.page.getByText('Stopped after 40 of 200 samples.').waitFor();
    expect(await opened.page.getByText('Train on These Samples').count()).toBe(0);
    for (const [label, until] of [
      ['Resume Generating', 'samples'],
      ['Resume the Run', 'end'],
    ] as const) {
      await opened.page.getByText(label).click();
      await expect.poll(() => opened.asked.at(-1)?.params).toEqual({ runId: 'run-a', until });
    }
    await opened.close();
  });

  it('shows two samples in a narrow and low sidebar', async () => {
    const opened = await openInspector(browser, {
      samples,
      width: 290,
      height: 430,
      state: {
        bos,
        verdict: { coherent: true, reason: 'Mean entropy 0.71 nats.' },
        diagnostics: diagnosticsOf(200),
        settled: 'Training has begun.',
        excluded: [0],
        runs: [makeRun({ samples: 200, trained: true }), makeRun({ id: 'run-b', samples: 3 })],
      },
    });
    const { page } = opened;
    await page.locator('.token').first().waitFor();
    expect(await page.getByText('Mean entropy').isVisible()).toBe(false);
    const [first, second] = await Promise.all(
      [0, 1].map((index) => page.locator(`[data-sample="${index}"]`).boundingBox()),
    );
    expect((first?.y ?? 0) + (first?.height ?? Infinity)).toBeLessThan(430);
    // Its numbers and at least two lines of its text.
    expect(second?.y).toBeLessThan(430 - 60);
    for (const part of ['.controls', '.count', '.verdict summary', '.statistics summary']) {
      const box = await page.locator(part).boundingBox();
      expect(box?.height, part).toBeLessThan(32);
      expect((box?.x ?? 0) + (box?.width ?? Infinity), part).toBeLessThanOrEqual(290);
    }
    await opened.close();
  });

  it('shows a hit that stands beyond the preview, and marks all hits', async () => {
    const pieces = [...Array.from({ length: 80 }, (_, at) => ` word${at}`), ' Hex', 'moor', ' end'];
    const long = sampleOf(
      0,
      pieces,
      pieces.map(() => -1),
      'length',
    );
    const opened = await openInspector(browser, { samples: [long] });
    const { page } = opened;
    const text = page.locator('.text');
    await text.locator('.token').first().waitFor();
    expect(await text.textContent()).not.toContain('Hexmoor');
    await page.locator('vscode-text-field[aria-label="Search the samples"] input').fill('hexMOOR');
    await expect.poll(() => text.textContent()).toMatch(/^….* Hexmoor end$/u);
    const marked = (): Promise<string[]> =>
      page.evaluate(() => Array.from(CSS.highlights.get('hit') ?? [], String));
    await expect.poll(marked).toEqual(['Hexmoor']);
    const last = text.locator('.token').last();
    await last.hover();
    await page.locator('.tooltip').getByText('token 83 of 83').waitFor();
    await page.locator('.sample').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => text.locator('.token').count()).toBe(83);
    await page.locator('vscode-text-field[aria-label="Search the samples"] input').fill('');
    await expect.poll(marked).toEqual([]);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('keeps the first sample in sight where it is while others are written', async () => {
    const view = { ...defaultView, sort: 'meanLogprob' as const };
    const few = samples.slice(0, 100);
    const opened = await openInspector(browser, {
      samples: few,
      kept: { view, filtersOpen: false },
    });
    const { page, rpc } = opened;
    await page.locator('.token').first().waitFor();
    await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, 5000));
    const topmost = (): Promise<{ sample?: string; y: number }[]> =>
      page.locator('.sample').evaluateAll((rows) => {
        const edge = document.querySelector('.toolbar')?.getBoundingClientRect().bottom ?? 0;
        return rows
          .map((row) => ({
            sample: (row as HTMLElement).dataset.sample,
            y: Math.round(row.getBoundingClientRect().top),
            bottom: row.getBoundingClientRect().bottom,
          }))
          .filter(({ bottom }) => bottom > edge)
          .map(({ sample, y }) => ({ sample, y }));
      });
    await expect.poll(async () => (await topmost()).length).toBeGreaterThan(2);
    await page.waitForTimeout(400);
    const [before] = await topmost();
    const more = samples.slice(100).map(({ summary }) => summary);
    rpc.tell('samples', { runId: 'run-a', first: false, samples: more });
    await page.getByText('200 samples', { exact: true }).waitFor();
    await page.waitForTimeout(400);
    const [after] = await topmost();
    expect(after?.sample).toBe(before?.sample);
    expect(Math.abs((after?.y ?? 0) - (before?.y ?? 0))).toBeLessThanOrEqual(2);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('chooses among runs', async () => {
    const runs = [makeRun({ samples: 200 }), makeRun({ id: 'run-b', name: 'Second', samples: 3 })];
    const opened = await openInspector(browser, { samples, state: { runs } });
    const { page } = opened;
    await page.locator('vscode-dropdown[aria-label="Run"]').click();
    await page.locator('vscode-option', { hasText: 'Second' }).click();
    await expect.poll(() => opened.asked.at(-1)?.params).toEqual({ runId: 'run-b' });
    const three = makeSamples(3, 20, 9).map(({ summary }) => summary);
    opened.rpc.tell('samples', { runId: 'run-b', first: true, samples: three });
    opened.tellState({ selected: 'run-b' });
    await page.getByText('3 samples', { exact: true }).waitFor();
    await expect.poll(() => page.locator('.sample').count()).toBe(3);
    await opened.close();
  });

  it('comes back as it was left: filters, run and place', async () => {
    const first = await openInspector(browser, { samples });
    await first.page.locator('.token').first().waitFor();
    await first.page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, 9000));
    await expect.poll(() => first.state()).toMatchObject({ place: { runId: 'run-a' } });
    const kept = first.state() as { place: { index: number } };
    await first.close();

    const again = await openInspector(browser, {
      samples,
      kept: { ...kept, view: { ...defaultView, search: 'in' } },
    });
    expect(again.asked[0]).toEqual({ method: 'open', params: { selected: 'run-a' } });
    const toolbar = again.page.locator('.toolbar');
    const row = again.page.locator(`[data-sample="${kept.place.index}"]`);
    await row.waitFor();
    await expect
      .poll(async () => {
        const [bar, box] = [await toolbar.boundingBox(), await row.boundingBox()];
        if (!bar || !box) return false;
        const edge = bar.y + bar.height;
        return box.y <= edge + 1 && box.y + box.height > edge;
      })
      .toBe(true);
    const search = again.page.locator('vscode-text-field[aria-label="Search the samples"] input');
    expect(await search.inputValue()).toBe('in');
    await again.close();
  });

  it.each<[ThemeName, number]>([
    ['dark', 340],
    ['light', 340],
    ['high-contrast', 340],
    ['light', 900],
  ])('has no serious accessibility findings in %s at %i px', async (theme, width) => {
    const opened = await openInspector(browser, {
      samples,
      theme,
      width,
      state: {
        bos,
        verdict: { coherent: true, reason: 'Mean entropy 0.71 nats.' },
        diagnostics: diagnosticsOf(200),
        excluded: [0, 3],
        runs: [makeRun({ samples: 200 }), makeRun({ id: 'run-b', samples: 3 })],
      },
    });
    const { page } = opened;
    await page.locator('.token').first().waitFor();
    if (width < 720) await page.locator('.statistics summary').click();
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
    await page.locator('.verdict summary').click();
    await page.getByText('Near duplicates').waitFor();
    expect(opened.errors).toEqual([]);
    expect(await seriousFindings(page)).toEqual([]);
    await opened.close();
  });
});

function diagnosticsOf(count: number) {
  return {
    samples: count,
    tokens: 60 * count,
    perplexity: 2.4,
    distinct1: 0.4,
    distinct2: 0.7,
    distinct3: 0.85,
    exactDuplicates: 2,
    nearDuplicates: 4,
    tokenEntropy: 4.2,
    stoppedByEos: 0.85,
    perSample: {},
  };
}
