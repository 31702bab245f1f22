/**
 * Much of everything in a real VS Code: a dataset of 200,000 rows and 5,000 samples of some 200
 * tokens. The window keeps drawing, whatever is read. Each figure is compared with the same window
 * at rest, as a machine that does other work at the time draws late without our doing.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scrollFrames, watchFrames, type Scrolling } from '../support/frames.js';
import { addRun, chooseOfRun, makeWorkspace, writeSamples } from '../support/vscodeRuns.js';
import { packagedExtension } from './packaged.js';
import { openWorkbench, type Workbench } from './workbench.js';

const rows = 200_000;
/** One row in so many is broken: more of them than the Problems panel lists. */
const brokenEvery = 250;
const samples = 5000;
const longestFrameMs = 100;
const restMs = 3000;
/** A busy machine is given some more. */
const tries = 5;
const timeout = 150_000;

describe('much of everything', () => {
  const workspace = makeWorkspace();
  let workbench: Workbench;

  beforeAll(async () => {
    writeRows(join(workspace, 'large.jsonl'));
    writeSamples(addRun(workspace, 'many', 1), samples, 200);
    workbench = await openWorkbench({ folder: workspace, extensions: [packagedExtension()] });
  });
  afterAll(async () => {
    await workbench.close();
    rmSync(workspace, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });

  it('scrolls through 5,000 samples without a late frame', async () => {
    await workbench.showView('CFS Studio');
    await chooseOfRun(workbench, 'many', 'Inspect Samples');
    const inspector = await workbench.webview(/5000 samples/);
    await inspector.locator('.token').first().waitFor();

    const measured: Scrolling[] = [];
    for (let at = 0; at < tries; at++) {
      const result = await scrollFrames(inspector, { step: 120, leap: 40_000, frames: 300 });
      measured.push(result);
      console.log(
        `5,000 samples in VS Code: longest of ${result.frames} frames ${result.longest.toFixed(0)} ms ` +
          `while scrolling (${result.late} over ${longestFrameMs} ms), ${result.idle.toFixed(0)} ms at rest`,
      );
      if (result.longest <= longestFrameMs) break;
    }
    const scrolled = await inspector.locator('.scroller').evaluate(({ scrollTop }) => scrollTop);
    expect(scrolled).toBeGreaterThan(300_000);
    // What is in sight is drawn with its tokens again.
    await inspector.locator('.sample .token').first().waitFor();
    expect(await inspector.locator('.sample').count()).toBeLessThan(40);
    const excess = measured.map(({ idle, longest }) => longest - Math.max(idle, longestFrameMs));
    expect(Math.min(...excess)).toBeLessThanOrEqual(0);
  });

  it('reads 200,000 rows while the window stays alive, and sums up their mistakes', async () => {
    const { page } = workbench;
    await workbench.showView('Explorer');
    const endRest = await watchFrames(page);
    await page.waitForTimeout(restMs);
    const rest = await endRest();

    await workbench.chooseInExplorerMenu('large.jsonl', 'Fine-tune with CFS');
    const mix = await workbench.webview(/What to train/);
    const endReading = await watchFrames(page);
    const begun = performance.now();
    const mistakes = (rows / brokenEvery).toLocaleString('en');
    await workbench
      .notification(`large.jsonl has ${mistakes} mistakes.`)
      .first()
      .waitFor({ timeout });
    await mix
      .getByText((rows - rows / brokenEvery).toLocaleString('en'))
      .first()
      .waitFor({ timeout });
    const longest = await endReading();
    const reading = performance.now() - begun;
    console.log(
      `${rows.toLocaleString('en')} rows, read in ${(reading / 1000).toFixed(0)} s: longest time between ` +
        `two frames of the window ${longest.toFixed(0)} ms meanwhile, ${rest.toFixed(0)} ms at rest`,
    );
    // Read in the window or its host, they would hold it up for most of that time.
    expect(longest).toBeLessThan(Math.max(5 * rest, reading / 10));

    const listed = await workbench.problems();
    expect(listed[1]).toMatch(/This line is not valid JSON/);
    expect(listed[1]).toContain('[Ln 8, ');
    await page.getByRole('tab', { name: /^Problems/ }).waitFor();
    await page.getByPlaceholder(/^Filter/).fill('more problems');
    const others = page.locator('.markers-panel').getByText(/^300 more problems in this dataset/);
    await others.waitFor();
  });
});

function writeRows(file: string): void {
  const out = openSync(file, 'w');
  for (let from = 0; from < rows; from += 1000) {
    const lines = Array.from({ length: 1000 }, (_, at) => rowText(from + at));
    writeSync(out, `${lines.join('\n')}\n`);
  }
  closeSync(out);
}

function rowText(row: number): string {
  if (row % brokenEvery === 7) return '{"prompt": "Where is it? ';
  return JSON.stringify({
    prompt: `Ticket ${row}: the lamp of device ${row % 89} flickers.`,
    response: `Replace bulb ${row % 97}, then test it.`,
  });
}
