import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import { hasChromium, launchBrowser, openPage } from './harness.js';

describe.skipIf(!hasChromium)('the sample inspector in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('opens without an error', async () => {
    const opened = await openPage(browser, {
      webview: 'inspector',
      handlers: {
        open: () => ({}),
        select: () => ({}),
        tokens: () => ({ samples: [] }),
        exclude: () => ({ excluded: [] }),
        changeStartToken: () => ({}),
        openMix: () => ({}),
        resume: () => ({}),
      },
    });
    await opened.page.getByText('Samples').waitFor();
    expect(opened.errors).toEqual([]);
    await opened.close();
  });
});
