/**
 * A person at a real VS Code: opens folders, picks commands, clicks in trees and pages. Everything
 * goes through what is on the screen; nothing here knows the extension's insides.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errors, type BrowserContext, type Frame, type Locator, type Page } from 'playwright-core';
import { openWindow } from '../../scripts/vscode/browser.js';
import { startVsCode, type ServerOptions, type VsCodeServer } from '../../scripts/vscode/server.js';

export interface Workbench {
  page: Page;
  server: VsCodeServer;
  /** Opens a folder in this window. */
  open(folder: string): Promise<void>;
  /** Another window of the same VS Code. */
  newWindow(folder: string): Promise<Workbench>;
  /** Runs a command by its full title in the palette. */
  command(title: string): Promise<void>;
  /** What the palette lists for a text. */
  commands(text: string): Promise<string[]>;
  /** Picks an entry of the context menu of a file in the explorer. */
  explorerMenu(file: string): Promise<string[]>;
  chooseInExplorerMenu(file: string, entry: string): Promise<void>;
  /** The texts of the Problems panel, once it shows at least one. */
  problems(): Promise<string[]>;
  /** A notification with this text. */
  notification(text: string | RegExp): Locator;
  /** The document of the webview that shows a text, waited for. */
  webview(text: string | RegExp): Promise<Frame>;
  /** Opens a place of the activity bar by its name. */
  showView(name: string): Promise<void>;
  /** Takes the first row, or all, of the list that asks; nothing happens where none asks. */
  pickFirst(): Promise<void>;
  pickAll(): Promise<void>;
  reload(): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

export interface WorkbenchOptions extends ServerOptions {
  folder: string;
  viewport?: { width: number; height: number };
}

export async function openWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const { folder, viewport, ...rest } = options;
  const server = await startVsCode(rest);
  const profile = mkdtempSync(join(tmpdir(), 'cfs-browser-'));
  const window = await openWindow(profile, viewport);
  const page = window.pages()[0] ?? (await window.newPage());
  const workbench = drive(page, server, window, async () => {
    await window.close();
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  await workbench.open(folder);
  return workbench;
}

function drive(
  page: Page,
  server: VsCodeServer,
  window: BrowserContext,
  close: () => Promise<void>,
): Workbench {
  const palette = page.locator('.quick-input-widget');
  const menu = page.locator('.context-view .monaco-menu');

  const ready = async (): Promise<void> => {
    await page.locator('.monaco-workbench').waitFor();
    await page.locator('.part.statusbar .statusbar-item').first().waitFor();
    // Menus and commands of extensions come later than the workbench.
    await page.getByRole('tab', { name: 'CFS Studio' }).first().waitFor();
    // On a slow machine it takes seconds more until the window knows that the folder is trusted;
    // before that, what needs trust is disabled in menus and missing in the palette.
    if (server.trustsAll) {
      await listCommand('CFS: Check Environment');
      await page.keyboard.press('Escape');
    }
  };
  const openPalette = async (text: string): Promise<void> => {
    // A webview keeps the keys for itself; the workbench's own chrome does not.
    await page.locator('.part.statusbar').first().focus();
    await page.keyboard.press('F1');
    await palette.locator('input').first().fill(`>${text}`);
    await palette.locator('.monaco-list-row').first().waitFor();
  };
  /** Opens the palette on a command and returns its row. */
  const listCommand = async (title: string): Promise<Locator> => {
    const entry = palette.locator('.monaco-list-row', {
      has: page.getByText(title, { exact: true }),
    });
    // A command whose condition has just come true is listed when the palette is opened next.
    for (let attempt = 0; attempt < 60; attempt++) {
      await openPalette(title);
      if (await appears(entry.first(), 500)) return entry.first();
      await page.keyboard.press('Escape');
      await page.waitForTimeout(300);
    }
    throw new Error(`The palette does not list “${title}”.`);
  };
  const asks = (): Promise<boolean> => appears(palette.locator('.monaco-list-row').first(), 3000);
  const row = (file: string): Locator =>
    page.locator('.explorer-folders-view .monaco-list-row', {
      has: page.getByText(file, { exact: true }),
    });
  const openMenu = async (file: string): Promise<void> => {
    await row(file).click({ button: 'right' });
    await menu.locator('.action-label').first().waitFor();
    // The menu is drawn before its entries are final.
    await page.waitForTimeout(400);
  };

  return {
    page,
    server,
    open: async (folder) => {
      await page.goto(server.folderUrl(folder));
      await ready();
    },
    newWindow: async (folder) => {
      const other = await window.newPage();
      const workbench = drive(other, server, window, () => other.close());
      await workbench.open(folder);
      return workbench;
    },
    command: async (title) => (await listCommand(title)).click(),
    commands: async (text) => {
      await openPalette(text);
      await page.waitForTimeout(300);
      const rows = await palette.locator('.monaco-list-row .label-name').allInnerTexts();
      await page.keyboard.press('Escape');
      return rows;
    },
    explorerMenu: async (file) => {
      await openMenu(file);
      const entries = await menu.locator('.action-label').allInnerTexts();
      await page.keyboard.press('Escape');
      return entries.map((entry) => entry.trim());
    },
    chooseInExplorerMenu: async (file, entry) => {
      const item = menu.getByText(entry, { exact: true });
      // A tree that is drawn again just then takes its menu away; a person clicks once more.
      for (let attempt = 0; attempt < 5; attempt++) {
        await openMenu(file);
        if (await appears(item, 2000)) return item.click();
        await page.keyboard.press('Escape');
      }
      throw new Error(`The menu of ${file} has no entry “${entry}”.`);
    },
    problems: async () => {
      const rows = page.locator('.markers-panel .monaco-list-row');
      if (!(await rows.first().isVisible())) await page.keyboard.press('Control+Shift+M');
      await rows.first().waitFor();
      return rows.allInnerTexts();
    },
    notification: (text) =>
      page.locator('.notification-toast, .notifications-center .notification-list-item', {
        hasText: text,
      }),
    webview: async (text) => {
      const deadline = Date.now() + 60_000;
      for (;;) {
        for (const frame of page.frames()) {
          // Frames come and go while a page is being opened; the next look finds them.
          const found = await frame
            .getByText(text)
            .first()
            .isVisible()
            .catch(() => false);
          if (found && frame !== page.mainFrame()) return frame;
        }
        if (Date.now() > deadline) throw new Error(`No webview shows “${String(text)}”.`);
        await page.waitForTimeout(200);
      }
    },
    showView: async (name) => {
      const tab = page.locator('.activitybar').getByRole('tab', { name });
      if ((await tab.first().getAttribute('aria-selected')) !== 'true') await tab.first().click();
    },
    pickFirst: async () => {
      if (await asks()) await palette.locator('.monaco-list-row').first().click();
    },
    pickAll: async () => {
      if (!(await asks())) return;
      await palette.getByRole('checkbox', { name: /toggle all/i }).click();
      await palette.getByRole('button', { name: 'OK' }).click();
    },
    reload: async () => {
      await page.reload();
      await ready();
    },
    screenshot: async (path) => {
      await page.screenshot({ path });
    },
    close,
  };
}

async function appears(what: Locator, timeout: number): Promise<boolean> {
  try {
    await what.waitFor({ timeout });
    return true;
  } catch (error) {
    if (!(error instanceof errors.TimeoutError)) throw error;
    return false;
  }
}
