import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import type { ItemComparison } from '../../src/protocol/panel.js';
import { colorsOf, makeRun, openPanel } from '../support/panelPage.js';
import { seriousFindings } from './axe.js';
import { hasChromium, launchBrowser } from './harness.js';
import type { ThemeName } from './themes.js';

const cfs = makeRun('with-cfs', 'cfs');
const standard = makeRun('standard', 'sft');
const items = Array.from({ length: 23 }, (_, i): ItemComparison => ({
  task: 'stories',
  metric: 'acc',
  id: String(i),
  prompt: `Question ${i}: <b>how</b> many?`,
  expected: String(i),
  from: { correct: true, answer: String(i) },
  to: { correct: false, answer: `<img src=x> ${i}` },
}));

describe.skipIf(!hasChromium)('the Compare page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('leads to Mix where there are no runs', async () => {
    const opened = await openPanel(browser, { page: 'compare', runs: [] });
    await opened.page.getByText('Nothing to compare yet').waitFor();
    await opened.close();
  });

  it('compares the two newest finished runs where none is chosen', async () => {
    const live = makeRun('live', 'cfs', { state: 'running' });
    const opened = await openPanel(browser, { page: 'compare', runs: [live, cfs, standard] });
    const scores = opened.page.getByRole('region', { name: 'Scores' });
    await scores.waitFor();
    expect(await scores.locator('thead th').allInnerTexts()).toEqual([
      ...['Task', 'with-cfs', 'standard'],
    ]);
    const records = scores.getByRole('row', { name: /^records/ }).getByRole('cell');
    expect(await records.first().innerText()).toContain('★ best');
    expect(await records.last().innerText()).toContain('▼ worse');
    const changes = opened.page.locator('[data-chart="change-fraction-up"]');
    expect(await changes.getAttribute('data-points')).toBe('10');
    await expect.poll(() => colorsOf(opened, 'change-fraction-up')).toBeGreaterThan(10);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('pages through items, whose texts never become HTML', async () => {
    const opened = await openPanel(browser, { page: 'compare', runs: [cfs, standard], items });
    await opened.page.getByText('1 to 10 of 23').waitFor();
    await opened.page.getByText('Question 0: <b>how</b> many?').waitFor();
    expect(await opened.page.locator('.items img, .items b').count()).toBe(0);
    await opened.page.getByRole('button', { name: 'Next' }).click();
    await opened.page.getByText('11 to 20 of 23').waitFor();
    await opened.page.getByRole('button', { name: 'Next' }).click();
    await opened.page.getByText('21 to 23 of 23').waitFor();
    expect(opened.asked.at(-1)?.params).toEqual({
      from: 'base',
      to: 'with-cfs',
      task: 'stories',
      metric: 'acc',
      change: 'right-to-wrong',
      offset: 20,
      limit: 10,
    });
    await opened.page.getByRole('button', { name: 'Wrong → right' }).click();
    await opened.page.getByText('No such items.').waitFor();
    const state = opened.state();
    await opened.close();
    const again = await openPanel(browser, { page: 'compare', runs: [cfs], items, state });
    await again.page.getByText('No such items.').waitFor();
    await again.close();
  });

  it('says so where runs have no results yet', async () => {
    const live = makeRun('live', 'cfs', { state: 'running' });
    const opened = await openPanel(browser, { page: 'compare', runs: [live] });
    await opened.page.getByText('Scores are available once a run has finished').waitFor();
    await opened.page.getByText('There are no items to read').waitFor();
    await opened.close();
  });

  const themes: ThemeName[] = ['dark', 'light', 'high-contrast'];
  it.each(themes)('has no serious findings of axe in %s', async (theme) => {
    const runs = [cfs, standard];
    const opened = await openPanel(browser, { page: 'compare', runs, items, theme, width: 600 });
    await opened.page.getByText('1 to 10 of 23').waitFor();
    expect(await seriousFindings(opened.page)).toEqual([]);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });
});
