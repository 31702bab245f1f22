/** The inspector opened in Chromium with a host that has made samples, and what it was asked. */
import type { Browser } from 'playwright-core';
import type { InspectorHostContract, InspectorState } from '../../src/protocol/inspector.js';
import type { Handlers } from '../../src/protocol/rpc.js';
import { openPage, type OpenedPage } from '../pages/harness.js';
import type { ThemeName } from '../pages/themes.js';
import { makeRun, type MadeSample } from './inspectorSamples.js';

export interface InspectorSetup {
  samples?: readonly MadeSample[];
  state?: Partial<InspectorState>;
  handlers?: Partial<Handlers<InspectorHostContract>>;
  theme?: ThemeName;
  width?: number;
  height?: number;
  /** What the page kept last time. */
  kept?: unknown;
}

export interface OpenedInspector extends OpenedPage<'inspector'> {
  /** Requests as they came: `exclude`, `resume`, …, with their parameters. */
  asked: { method: string; params: unknown }[];
  tellState(part: Partial<InspectorState>): void;
}

export async function openInspector(
  browser: Browser,
  setup: InspectorSetup = {},
): Promise<OpenedInspector> {
  const { samples = [], theme, width = 340, height = 800 } = setup;
  const byIndex = new Map(samples.map((sample) => [sample.summary.index, sample.tokens]));
  const run = makeRun({ samples: samples.length });
  let state: InspectorState = { runs: [run], selected: run.id, excluded: [], ...setup.state };
  const asked: OpenedInspector['asked'] = [];
  const note = <P>(method: string, params: P): void => void asked.push({ method, params });

  const opened = await openPage(browser, {
    webview: 'inspector',
    theme,
    width,
    height,
    state: setup.kept,
    handlers: {
      open: (params) => {
        note('open', params);
        return {};
      },
      select: (params) => {
        note('select', params);
        return {};
      },
      tokens: ({ indices }) => ({
        samples: indices.flatMap((index) => byIndex.get(index) ?? []),
      }),
      exclude: (params) => {
        note('exclude', params);
        const numbers = new Set(state.excluded);
        for (const index of params.indices) {
          if (params.excluded) numbers.add(index);
          else numbers.delete(index);
        }
        state = { ...state, excluded: [...numbers].sort((a, b) => a - b) };
        return { excluded: state.excluded };
      },
      changeBos: (params) => {
        note('changeBos', params);
        return {};
      },
      openMix: (params) => {
        note('openMix', params);
        return {};
      },
      resume: (params) => {
        note('resume', params);
        return {};
      },
      ...setup.handlers,
    },
  });
  const runId = state.selected;
  if (runId !== undefined) {
    for (let at = 0; at === 0 || at < samples.length; at += 250) {
      const part = samples.slice(at, at + 250).map(({ summary }) => summary);
      opened.rpc.tell('samples', { runId, first: at === 0, samples: part });
    }
  }
  opened.rpc.tell('state', state);
  return {
    ...opened,
    asked,
    tellState: (part) => {
      state = { ...state, ...part };
      opened.rpc.tell('state', state);
    },
  };
}
