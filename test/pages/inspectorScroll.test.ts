/**
 * Five thousand samples under the wheel: how long the page itself keeps a frame waiting. What counts
 * is the processor time of the page's main thread, since the wall clock of a frame also tells how
 * busy the machine is with other work; it is printed for who wants to know it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { openInspector } from '../support/inspectorPage.js';
import { makeSamples } from '../support/inspectorSamples.js';
import { hasChromium, launchBrowser } from './harness.js';

const limitMs = 100;
const frames = 300;

/** Milliseconds of one frame. */
interface Frame {
  /** Of the main thread: scripts, style, layout and painting. */
  work: number;
  wall: number;
}

/** Processor time that the main thread has spent on tasks, milliseconds. */
async function workDone(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  const task = metrics.find(({ name }) => name === 'TaskDuration');
  if (!task) throw new Error('Chromium does not tell how long tasks took');
  return 1000 * task.value;
}

/** Scrolls by so many pixels and waits until that is drawn; milliseconds by the clock. */
function scrollBy(page: Page, pixels: number): Promise<number> {
  return page.evaluate(async (by) => {
    const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
    const scroller = document.querySelector('.scroller');
    if (!scroller) throw new Error('no scroller');
    const before = await frame();
    scroller.scrollTop += by;
    return (await frame()) - before;
  }, pixels);
}

describe.skipIf(!hasChromium)('five thousand samples', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('scroll without a frame that takes the page over 100 ms', async () => {
    const samples = makeSamples(5000, 200);
    const opened = await openInspector(browser, { samples, width: 400, height: 900 });
    const { page } = opened;
    await page.getByText('5000 samples', { exact: true }).waitFor();
    await page.locator('.token').first().waitFor();
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });

    const measured: Frame[] = [];
    let done = await workDone(session);
    for (let at = 0; at < frames; at++) {
      // A wheel that is turned fast, and now and then the scroll bar.
      const wall = await scrollBy(page, at % 30 === 29 ? 40_000 : 120);
      const now = await workDone(session);
      measured.push({ work: now - done, wall });
      done = now;
      // It has failed; a page that draws all of it would take minutes for the rest.
      if (measured.some(({ work }) => work > limitMs)) break;
    }
    const longest = (of: keyof Frame): number => Math.max(...measured.map((frame) => frame[of]));
    console.log(
      `5,000 samples, ${measured.length} frames of scrolling: ${longest('work').toFixed(0)} ms of work in the ` +
        `heaviest, ${longest('wall').toFixed(0)} ms by the clock in the longest`,
    );
    expect(longest('work')).toBeGreaterThan(0);
    expect(longest('work')).toBeLessThanOrEqual(limitMs);
    const moved = await page.locator('.scroller').evaluate(({ scrollTop }) => scrollTop);
    expect(moved).toBeGreaterThan(400_000);
    await page.locator('.sample .token').first().waitFor();
    expect(await page.locator('.sample').count()).toBeLessThan(40);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });
});
