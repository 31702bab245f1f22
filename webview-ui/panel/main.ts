/** The panel: a row of tabs and the page below it. */
import { html, nothing, render } from 'lit-html';
import { z } from 'zod';
import {
  pages,
  panelHostContract,
  panelPageContract,
  type Page,
} from '../../src/protocol/panel.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { failure } from '../shared/failure.js';
import { connect, keepState, readState } from '../shared/host.js';
import { onThemeChange } from '../shared/theme.js';
import { registerControls, tabs } from '../shared/toolkit.js';
import { createComparePage } from './compare/compare.js';
import { createCurvesPage } from './curves/curves.js';
import { createMixPage } from './mix/mix.js';
import type { PageContext, PanelListeners, PanelPage } from './page.js';
import { oncePerFrame } from '../shared/oncePerFrame.js';
import './panel.css';

const labels: Record<Page, string> = { mix: 'Mix', curves: 'Curves', compare: 'Compare' };

const stateSchema = z.object({
  page: z.enum(pages).optional(),
  selected: z.array(z.string()).optional(),
  /** What each page keeps for itself. */
  pages: z.partialRecord(z.enum(pages), z.unknown()),
});
type State = z.infer<typeof stateSchema>;

registerControls();
const root = document.createElement('div');
root.id = 'panel';
document.body.append(root);

let state: State = readState(stateSchema, { pages: {} });
let runs: readonly RunInfo[] = [];
let problem: unknown;
const redraw = oncePerFrame(draw);

const rpc = connect(panelPageContract, panelHostContract, {
  runs: (payload) => {
    runs = payload.runs;
    current()?.update();
    redraw();
  },
  show: ({ page, selected }) => show(page, selected ?? state.selected ?? []),
  mixState: (payload) => forward('mixState', payload),
  previewProgress: (payload) => forward('previewProgress', payload),
  history: (payload) => forward('history', payload),
} satisfies PanelListeners);

const all: Record<Page, PanelPage> = {
  mix: createMixPage(contextOf('mix')),
  curves: createCurvesPage(contextOf('curves')),
  compare: createComparePage(contextOf('compare')),
};

onThemeChange(() => {
  for (const page of Object.values(all)) page.onTheme?.();
});
redraw();
const { page, selected } = state;
rpc.request('open', { page, selected }).then(
  (answer) => show(answer.page, answer.selected),
  (error: unknown) => {
    problem = error;
    redraw();
  },
);

function forward<E extends keyof PanelListeners>(
  event: E,
  payload: Parameters<PanelListeners[E]>[0],
): void {
  for (const { listeners } of Object.values(all)) {
    // The pages' listeners have the types of the panel's own; TypeScript cannot follow the key.
    (listeners[event] as ((payload: unknown) => void) | undefined)?.(payload);
  }
  redraw();
}

function contextOf(page: Page): PageContext {
  return {
    rpc,
    runs: () => runs,
    selected: () => state.selected ?? [],
    select: (runIds) => {
      change({ selected: [...runIds] });
      current()?.update();
      redraw();
    },
    go: (wanted) => show(wanted, state.selected ?? []),
    redraw,
    remembered: () => state.pages[page],
    remember: (value) => change({ pages: { ...state.pages, [page]: value } }),
  };
}

function show(page: Page, selected: readonly string[]): void {
  change({ page, selected: [...selected] });
  current()?.update();
  redraw();
}

function change(part: Partial<State>): void {
  state = { ...state, ...part };
  keepState(state);
}

function current(): PanelPage | undefined {
  return state.page && all[state.page];
}

function draw(): void {
  const shown = state.page;
  const navigation = shown
    ? tabs({
        selected: shown,
        tabs: pages.map((id) => ({ id, label: labels[id] })),
        onSelect: (id) => show(id, state.selected ?? []),
      })
    : nothing;
  render(
    html`${navigation}
      <main aria-label=${shown ? labels[shown] : 'CFS Studio'}>
        ${problem === undefined ? nothing : failure(problem)} ${current()?.render() ?? nothing}
      </main>`,
    root,
  );
}
