/** The panel in Chromium with a host that knows made-up runs, for the tests of Curves and Compare. */
import type { Browser } from 'playwright-core';
import type { ItemComparison, Page } from '../../src/protocol/panel.js';
import type { RunEvent, RunResults } from '../../src/protocol/records.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { openPage, type OpenedPage } from '../pages/harness.js';
import type { ThemeName } from '../pages/themes.js';
import { runInfo } from './runInfo.js';
import { madeUpEvents, madeUpResults } from '../unit/runs/madeUpRun.js';

export interface MadeRun {
  info: RunInfo;
  events: RunEvent[];
  results?: RunResults;
}

export function makeRun(id: string, method: string, part: Partial<RunInfo> = {}): MadeRun {
  const info = runInfo({ id, method, ...part });
  const events = madeUpEvents(method);
  return info.state === 'finished'
    ? { info, events, results: madeUpResults(method) }
    : { info, events };
}

export interface Asked {
  method: string;
  params: unknown;
}

export interface OpenedPanel extends OpenedPage<'panel'> {
  /** What the page has asked the host, in order. */
  asked: Asked[];
}

export interface PanelOptions {
  page: Page;
  runs: readonly MadeRun[];
  selected?: string[];
  theme?: ThemeName;
  width?: number;
  state?: unknown;
  /** Items that went from right to wrong. */
  items?: ItemComparison[];
}

export async function openPanel(browser: Browser, options: PanelOptions): Promise<OpenedPanel> {
  const { page, runs, selected = [], theme, width, state, items = [] } = options;
  const asked: Asked[] = [];
  const find = (id: string): MadeRun | undefined => runs.find(({ info }) => info.id === id);
  const note = (method: string, params: unknown): void => {
    asked.push({ method, params });
  };
  const unused = (): never => {
    throw new Error('not asked by these pages');
  };
  const opened = await openPage(browser, {
    webview: 'panel',
    theme,
    width,
    state,
    handlers: {
      open: (params) => {
        note('open', params);
        return { page: params.page ?? page, selected: params.selected ?? selected };
      },
      runAction: (params) => {
        note('runAction', params);
        return {};
      },
      watch: (params) => {
        note('watch', params);
        for (const runId of params.runIds) {
          opened.rpc.tell('history', { runId, first: true, events: find(runId)?.events ?? [] });
        }
        return {};
      },
      results: ({ runIds }) => ({
        results: runIds.map((runId) => ({ runId, results: find(runId)?.results })),
      }),
      saveFile: (params) => {
        note('saveFile', params);
        return { path: `/home/me/${params.name}` };
      },
      compare: ({ runIds }) => ({
        runs: runIds.flatMap((id) => {
          const run = find(id);
          return run ? [{ info: run.info, results: run.results }] : [];
        }),
        settings: [{ field: 'method', values: runIds.map((id) => find(id)?.info.method ?? '–') }],
      }),
      items: (params) => {
        note('items', params);
        const found = params.change === 'right-to-wrong' ? items : [];
        return {
          total: found.length,
          items: found.slice(params.offset, params.offset + params.limit),
        };
      },
      mixState: () => ({
        draft: 'none',
        schema: {},
        values: {},
        suggested: {},
        blocked: 'not here',
      }),
      preview: unused,
      pickPaths: unused,
      start: unused,
      continueRun: unused,
      openFile: unused,
    },
  });
  opened.rpc.tell('runs', { runs: runs.map(({ info }) => info) });
  return { ...opened, asked };
}

/** Distinct colours on a canvas: one for the ground, more once something is drawn. */
export function colorsOf(opened: OpenedPanel, chart: string): Promise<number> {
  return opened.page.locator(`[data-chart="${chart}"] canvas`).evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const context = (canvas as HTMLCanvasElement).getContext('2d');
    const { data } = context?.getImageData(0, 0, width, height) ?? { data: [] };
    const seen = new Set<string>();
    for (let i = 0; i < data.length; i += 4) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
    return seen.size;
  });
}
