import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import { colorsOf, makeRun, openPanel, type OpenedPanel } from '../support/panelPage.js';
import { madeUpEvents } from '../unit/runs/madeUpRun.js';
import { seriousFindings } from './axe.js';
import { hasChromium, launchBrowser } from './harness.js';
import type { ThemeName } from './themes.js';

const cfs = makeRun('with-cfs', 'cfs');
const standard = makeRun('standard', 'sft');

const chart = (opened: OpenedPanel, id: string) => opened.page.locator(`[data-chart="${id}"]`);
const pointsOf = async (opened: OpenedPanel, id: string): Promise<number> =>
  Number(await chart(opened, id).getAttribute('data-points'));

describe.skipIf(!hasChromium)('the Curves page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('leads to Mix where there are no runs', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [] });
    await opened.page.getByText('Set up the first run').click();
    await expect.poll(() => (opened.state() as { page?: string }).page).toBe('mix');
    await opened.close();
  });

  it('draws the newest run where none is chosen', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs, standard] });
    await chart(opened, 'tasks-fraction').waitFor();
    expect(opened.asked.filter(({ method }) => method === 'watch')).toEqual([
      { method: 'watch', params: { runIds: ['with-cfs'] } },
    ]);
    // Five tasks, scored every 50 of 600 steps from 0 on.
    expect(await pointsOf(opened, 'tasks-fraction')).toBe(65);
    expect(await pointsOf(opened, 'downstream')).toBe(13);
    expect(await pointsOf(opened, 'loss')).toBe(1800);
    expect(await pointsOf(opened, 'kl')).toBe(13);
    expect(await pointsOf(opened, 'scatter-fraction')).toBe(2);
    await expect.poll(() => colorsOf(opened, 'tasks-fraction')).toBeGreaterThan(20);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('follows a run that goes on, and forgets steps that a resumed run went back behind', async () => {
    const events = madeUpEvents('sft');
    const upTo = (step: number) => events.filter((e) => !('step' in e) || e.step <= step);
    const live = { ...makeRun('live', 'sft', { state: 'running', step: 100 }), events: upTo(100) };
    const opened = await openPanel(browser, { page: 'curves', runs: [live] });
    await chart(opened, 'loss').waitFor();
    expect(await pointsOf(opened, 'loss')).toBe(100);
    const later = events.filter((e) => 'step' in e && e.step > 100 && e.step <= 150);
    opened.rpc.tell('history', { runId: 'live', first: false, events: later });
    await expect.poll(() => pointsOf(opened, 'loss')).toBe(150);
    const start = events.filter((e) => e.type === 'run_started');
    const resumed = start.map((e) => ({ ...e, step: 120 }));
    opened.rpc.tell('history', { runId: 'live', first: false, events: resumed });
    await expect.poll(() => pointsOf(opened, 'loss')).toBe(120);
    await opened.close();
  });

  it('says what a run is doing and stops it', async () => {
    const live = makeRun('live', 'cfs', {
      state: 'running',
      phase: 'training',
      progress: 70,
      total: 600,
      tokensPerSecond: 4321,
      secondsLeft: 95,
      hasReport: false,
    });
    const opened = await openPanel(browser, { page: 'curves', runs: [live] });
    await opened.page
      .getByText('Training · 70 of 600 · 4,321 tokens/s · 1 min 35 s left')
      .waitFor();
    await opened.page.getByRole('button', { name: 'Stop: live' }).click();
    await expect
      .poll(() => opened.asked.at(-1))
      .toEqual({ method: 'runAction', params: { runId: 'live', action: 'stop' } });
    expect(await opened.page.getByRole('button', { name: 'Resume: live' }).count()).toBe(0);
    await opened.close();
  });

  it('says when the first scores come', async () => {
    const run = { ...makeRun('new', 'cfs', { state: 'running', step: 0 }), events: [] };
    const opened = await openPanel(browser, { page: 'curves', runs: [run] });
    await opened.page.getByText('The first scores appear').waitFor();
    await opened.close();
  });

  it('hides a line by its legend entry, with the keyboard', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs] });
    const entry = chart(opened, 'tasks-fraction').getByRole('button', { name: 'facts' });
    await entry.focus();
    await opened.page.keyboard.press('Enter');
    await expect.poll(() => entry.getAttribute('aria-pressed')).toBe('false');
    await expect.poll(() => pointsOf(opened, 'tasks-fraction')).toBe(52);
    const label = await chart(opened, 'tasks-fraction').getByRole('img').getAttribute('aria-label');
    expect(label).toContain('records: from');
    expect(label).not.toContain('facts');
    await opened.close();
  });

  it('leaves out a task that is not ticked, and remembers it over a reload', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs] });
    await opened.page.getByText('Tasks: 5 of 5').click();
    await opened.page.getByRole('checkbox', { name: 'stories' }).click();
    await expect.poll(() => pointsOf(opened, 'tasks-fraction')).toBe(52);
    const state = opened.state();
    await opened.close();
    const again = await openPanel(browser, { page: 'curves', runs: [cfs], state });
    await again.page.getByText('Tasks: 4 of 5').waitFor();
    await again.close();
  });

  it('lays another run over the first', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs, standard] });
    await opened.page.getByText('Runs: 1 of 2').click();
    await opened.page.getByRole('checkbox', { name: 'standard' }).click();
    await expect.poll(() => pointsOf(opened, 'tasks-fraction')).toBe(130);
    const legend = chart(opened, 'tasks-fraction').locator('.legend button');
    expect(await legend.allInnerTexts()).toEqual([
      ...['stories', 'arithmetic', 'sorting', 'facts', 'records'],
      ...['with-cfs', 'standard'],
    ]);
    await chart(opened, 'tasks-fraction').getByRole('button', { name: 'standard' }).click();
    await expect.poll(() => pointsOf(opened, 'tasks-fraction')).toBe(65);
    await opened.close();
  });

  it('saves charts as PNG and CSV', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs] });
    await opened.page.getByRole('button', { name: /^Save as PNG: Training loss/ }).click();
    await opened.page.getByRole('button', { name: /^Save as CSV: Drift/ }).click();
    const saved = () => opened.asked.filter(({ method }) => method === 'saveFile');
    await expect.poll(() => saved().length).toBe(2);
    const [png, csv] = saved().map(({ params }) => params as { name: string; data: string });
    const picture = Buffer.from(png?.data ?? '', 'base64');
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    // Width and height in the header: twice 900 × 500.
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1800, 1000]);
    expect(csv?.name).toBe('kl.csv');
    expect(csv?.data.split('\r\n')).toHaveLength(15);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  it('shows numbers as a table', async () => {
    const opened = await openPanel(browser, { page: 'curves', runs: [cfs] });
    await opened.page.getByRole('button', { name: /^Show as table: Downstream/ }).click();
    const rows = chart(opened, 'downstream').locator('tbody tr');
    await expect.poll(() => rows.count()).toBe(13);
    expect(await rows.first().innerText()).toContain('3.3 ± 0.039 (200 items)');
    await opened.close();
  });

  const themes: ThemeName[] = ['dark', 'light', 'high-contrast'];
  it.each(themes)('has no serious findings of axe in %s', async (theme) => {
    const opened = await openPanel(browser, {
      page: 'curves',
      runs: [cfs, standard],
      selected: ['with-cfs', 'standard'],
      theme,
      width: 600,
    });
    await chart(opened, 'tasks-fraction').waitFor();
    await opened.page.getByText('Runs: 2 of 2').click();
    expect(await seriousFindings(opened.page)).toEqual([]);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });
});
