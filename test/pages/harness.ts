/**
 * A webview without VS Code around it: the real bundle under the real content policy in Chromium,
 * with the test as its host. Pages are developed and checked here in seconds; that they also work
 * inside the editor is for `test/vscode/`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { chromium, type Browser, type Page } from 'playwright-core';
import { inspectorHostContract, inspectorPageContract } from '../../src/protocol/inspector.js';
import { panelHostContract, panelPageContract } from '../../src/protocol/panel.js';
import { createRpc, type Handlers, type Rpc } from '../../src/protocol/rpc.js';
import { webviewShell } from '../../src/host/pages/shell.js';
import { themes, type ThemeName } from './themes.js';

export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const hasChromium = existsSync(chromiumPath);

const contracts = {
  inspector: { host: inspectorHostContract, page: inspectorPageContract },
  panel: { host: panelHostContract, page: panelPageContract },
};
export type WebviewName = keyof typeof contracts;
type HostOf<W extends WebviewName> = (typeof contracts)[W]['host'];
type PageOf<W extends WebviewName> = (typeof contracts)[W]['page'];

export interface OpenOptions<W extends WebviewName> {
  webview: W;
  /** The host's side: what it answers. */
  handlers: Handlers<HostOf<W>>;
  theme?: ThemeName;
  width?: number;
  height?: number;
  /** What `getState` gives. */
  state?: unknown;
  /** Where the bundles are; those of the test run when left out. */
  bundles?: string;
}

export interface OpenedPage<W extends WebviewName> {
  page: Page;
  /** `tell` sends the host's events to the page. */
  rpc: Rpc<HostOf<W>, PageOf<W>>;
  /** What the page wrote to its console as errors, content policy violations included. */
  errors: string[];
  /** What the page kept last with `setState`. */
  state(): unknown;
  close(): Promise<void>;
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

const origin = 'http://webview.test';

export async function openPage<W extends WebviewName>(
  browser: Browser,
  options: OpenOptions<W>,
): Promise<OpenedPage<W>> {
  const { webview, handlers, theme = 'dark', width = 1100, height = 900 } = options;
  const bundles = options.bundles ?? join(inject('bundles'), 'webview');
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));

  let kept: unknown = options.state;
  let receive: (message: unknown) => void = () => undefined;
  await page.exposeFunction('hostReceive', (message: unknown) => receive(message));
  await page.exposeFunction('hostKeep', (state: unknown) => {
    kept = state;
  });
  await page.addInitScript(
    ({ state, variables, bodyClass }) => {
      const scope = window as unknown as Record<string, unknown>;
      const call = (name: string, value: unknown): void =>
        void (scope[name] as (value: unknown) => Promise<void>)(value);
      let now: unknown = state;
      scope.acquireVsCodeApi = () => ({
        postMessage: (message: unknown) => call('hostReceive', message),
        getState: () => now,
        setState: (next: unknown) => {
          now = next;
          call('hostKeep', next);
        },
      });
      const dress = (): void => {
        for (const [name, value] of Object.entries(variables)) {
          document.documentElement.style.setProperty(name, value);
        }
        document.body.className = bodyClass;
        document.body.style.backgroundColor = 'var(--vscode-editor-background)';
      };
      new MutationObserver((_, observer) => {
        if (!document.body) return;
        observer.disconnect();
        dress();
      }).observe(document, { childList: true, subtree: true });
    },
    { state: options.state, ...themes[theme] },
  );
  await page.route(`${origin}/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname !== '/') return route.fulfill({ path: join(bundles, pathname) });
    const shell = { title: webview, script: `/${webview}.js`, style: `/${webview}.css` };
    const body = webviewShell({ ...shell, cspSource: origin });
    return route.fulfill({ contentType: 'text/html', body });
  });

  const contract = contracts[webview] as { host: HostOf<W>; page: PageOf<W> };
  const rpc = createRpc<HostOf<W>, PageOf<W>>({
    endpoint: {
      post: (message) =>
        // A page that is closing hears nothing any more.
        void page.evaluate((data) => window.postMessage(data), message).catch(() => undefined),
      listen: (take) => {
        receive = take;
        return () => {
          receive = () => undefined;
        };
      },
    },
    mine: contract.host,
    theirs: contract.page,
    handlers,
    listeners: {} as never,
    onProblem: (problem) => errors.push(problem.message),
  });
  await page.goto(`${origin}/`);
  return {
    page,
    rpc,
    errors,
    state: () => kept,
    close: async () => {
      rpc.dispose();
      await context.close();
    },
  };
}
