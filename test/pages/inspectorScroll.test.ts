/**
 * Five thousand samples under the wheel: how long the page keeps the longest frame waiting. The
 * issue asks for 100 ms at most; a machine that does other work at the time gets a few tries.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { openInspector } from '../support/inspectorPage.js';
import { makeSamples } from '../support/inspectorSamples.js';
import { hasChromium, launchBrowser } from './harness.js';

const limitMs = 100;
const tries = 5;

interface Frames {
  /** Milliseconds between two frames, and of a task that blocked the page, at most. */
  longestFrame: number;
  longestTask: number;
  frames: number;
}

/** Scrolls on by `step` pixels each frame, and every 30th frame leaps. */
function scroll(page: Page, step: number, leap: number): Promise<Frames> {
  return page.evaluate(
    async ({ step, leap }) => {
      const scroller = document.querySelector('.scroller');
      if (!scroller) throw new Error('no scroller');
      scroller.scrollTop = 0;
      let longestTask = 0;
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
      });
      observer.observe({ type: 'longtask' });
      const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
      let longestFrame = 0;
      let before = await frame();
      const frames = 400;
      for (let at = 0; at < frames; at++) {
        scroller.scrollTop += at % 30 === 29 ? leap : step;
        const now = await frame();
        longestFrame = Math.max(longestFrame, now - before);
        before = now;
      }
      observer.disconnect();
      return { longestFrame, longestTask, frames };
    },
    { step, leap },
  );
}

describe.skipIf(!hasChromium)('five thousand samples', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('scroll without a frame over 100 ms', async () => {
    const samples = makeSamples(5000, 200);
    const opened = await openInspector(browser, { samples, width: 400, height: 900 });
    await opened.page.getByText('5000 samples', { exact: true }).waitFor();
    await opened.page.locator('.token').first().waitFor();

    const measured: Frames[] = [];
    for (let at = 0; at < tries; at++) {
      const result = await scroll(opened.page, 120, 40_000);
      measured.push(result);
      const { longestFrame, longestTask, frames } = result;
      console.log(
        `5,000 samples, ${frames} frames of scrolling: longest frame ${longestFrame.toFixed(0)} ms, ` +
          `longest task ${longestTask.toFixed(0)} ms`,
      );
      if (longestFrame <= limitMs) break;
    }
    const moved = await opened.page.locator('.scroller').evaluate(({ scrollTop }) => scrollTop);
    expect(moved).toBeGreaterThan(400_000);
    await opened.page.locator('.sample .token').first().waitFor();
    expect(Math.min(...measured.map(({ longestFrame }) => longestFrame))).toBeLessThanOrEqual(
      limitMs,
    );
    expect(await opened.page.locator('.sample').count()).toBeLessThan(40);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });
});
