/** The sample inspector in the sidebar: wires what the host tells to what is drawn. */
import { html, nothing, render } from 'lit-html';
import { inspectorHostContract, inspectorPageContract } from '../../src/protocol/inspector.js';
import { failure } from '../shared/failure.js';
import { connect, keepState, readState } from '../shared/host.js';
import { registerControls } from '../shared/toolkit.js';
import { controls, legend } from './controls.js';
import { figures } from './figures.js';
import { heading, loading, welcome } from './heading.js';
import { createSampleList } from './list.js';
import {
  defaultKept,
  emptyStore,
  isVerdictOpen,
  keptSchema,
  memo,
  selectedRun,
  shownSamples,
  toggleExpanded,
  withExcluded,
  withSamples,
  withState,
  type Kept,
  type Store,
} from './store.js';
import { createTokenSource } from './tokens.js';
import { searchedFor } from './text.js';
import { arrange, type View } from './view.js';
import { oncePerFrame } from '../shared/oncePerFrame.js';
import './inspector.css';

/** From this width on the statistics are beside the list; the same as in the style sheet. */
const wide = window.matchMedia('(min-width: 720px)');
/** A BOS token or a method may be asked for meanwhile; people take their time. */
const patientMs = 10 * 60_000;

registerControls();
const scroller = element('main', 'scroller');
scroller.setAttribute('aria-label', 'Context-free samples');
const [top, aside, toolbar, notes] = ['heading', 'aside', 'toolbar', 'notes'].map((name) =>
  element('div', name),
) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
const list = element('div', 'list');
list.setAttribute('role', 'feed');
list.setAttribute('aria-label', 'Samples');
list.setAttribute('aria-describedby', 'keys');
const keys = element('p', 'visually-hidden');
keys.id = 'keys';
keys.textContent =
  'Up and down: previous and next sample. Left and right: its tokens with their values. ' +
  'Enter: show all or less. X: exclude or include.';
const spoken = element('div', 'visually-hidden');
spoken.setAttribute('aria-live', 'polite');
scroller.append(top, aside, toolbar, notes, list, keys);
document.body.append(scroller, spoken);

let store: Store = emptyStore;
let kept: Kept = readState(keptSchema, defaultKept);
let busy = false;
const plan = oncePerFrame(draw);
/** Where the list stood when the page was last seen, until the list is there again. */
let returnTo = kept.place;
const arranged = memo(arrange);
const orderOf = memo((runId: string | undefined, view: View) => ({ runId, view }));

const rpc = connect(inspectorPageContract, inspectorHostContract, {
  state: (state) => {
    const before = store.host?.selected;
    change(withState(store, state));
    if (before !== state.selected) tokens.reset();
    if (state.selected !== undefined && state.selected !== kept.selected) {
      keep({ selected: state.selected });
    }
  },
  samples: (event) => {
    if (event.first) tokens.reset();
    change(withSamples(store, event));
  },
});
const tokens = createTokenSource({
  fetch: async (indices) => {
    const runId = store.host?.selected;
    if (runId === undefined) return [];
    return (await rpc.request('tokens', { runId, indices })).samples;
  },
  onArrival: plan,
  onProblem: report,
});
const sampleList = createSampleList({
  scroller,
  list,
  toolbar,
  tokens,
  content: () => ({
    samples: arrangedSamples(),
    excluded: store.excluded,
    expanded: store.expanded,
    settled: store.host?.settled,
    wanted: searchedFor(kept.view.search),
    order: orderOf(store.samplesOf, kept.view),
    busy: selectedRun(store)?.phase === 'generating' && selectedRun(store)?.state === 'running',
  }),
  onToggle: (index) => change(toggleExpanded(store, index)),
  onExclude: (index) => void exclude([index], !store.excluded.has(index)),
  announce: (text) => {
    spoken.textContent = text;
  },
  onScroll: debounced(250, () => {
    if (!returnTo) keepPlace();
  }),
});

// Who scrolls by hand wants to be where that leads.
for (const event of ['wheel', 'keydown', 'pointerdown']) {
  scroller.addEventListener(event, () => (returnTo = undefined), { passive: true });
}
new ResizeObserver(() => {
  scroller.style.scrollPaddingTop = `${toolbar.offsetHeight}px`;
}).observe(toolbar);
// What is above the list pushes it down when it grows.
for (const above of [top, aside, notes]) new ResizeObserver(plan).observe(above);
wide.addEventListener('change', plan);
plan();
rpc.request('open', { selected: kept.selected }).catch(report);

function arrangedSamples(): ReturnType<typeof arrange> {
  return arranged(shownSamples(store), store.excluded, kept.view);
}

function change(next: Store): void {
  store = next;
  plan();
}

function report(problem: unknown): void {
  change({ ...store, problem });
}

function keep(part: Partial<Kept>): void {
  kept = { ...kept, ...part };
  keepState(kept);
  plan();
}

function keepPlace(): void {
  const runId = store.samplesOf;
  const place = sampleList.place();
  kept = { ...kept, place: place && runId !== undefined ? { runId, ...place } : undefined };
  keepState(kept);
}

/** Asks the host for something. */
async function ask(question: () => Promise<unknown>): Promise<void> {
  change({ ...store, problem: undefined });
  try {
    await question();
  } catch (problem) {
    report(problem);
  }
}

/** The same for what begins or resumes a run: one at a time, and its buttons wait. */
async function begin(question: () => Promise<unknown>): Promise<void> {
  // A second click comes before the buttons are drawn as waiting.
  if (busy) return;
  busy = true;
  await ask(question);
  busy = false;
  plan();
}

async function exclude(indices: readonly number[], excluded: boolean): Promise<boolean> {
  const { host } = store;
  const runId = host?.selected;
  if (runId === undefined) return false;
  if (host?.settled !== undefined) {
    spoken.textContent = host.settled;
    return false;
  }
  try {
    const answer = await rpc.request('exclude', { runId, indices: [...indices], excluded });
    if (store.host?.selected !== runId) return false;
    change({ ...withExcluded(store, answer.excluded), undo: undefined, problem: undefined });
  } catch (problem) {
    report(problem);
    return false;
  }
  const [first] = indices;
  const which = indices.length === 1 && first !== undefined ? `Sample ${first}` : indices.length;
  spoken.textContent = `${which} ${excluded ? 'excluded' : 'included'}`;
  return true;
}

async function excludeShown(excluded: boolean): Promise<void> {
  const indices = arrangedSamples()
    .map(({ index }) => index)
    .filter((index) => store.excluded.has(index) !== excluded);
  const isDone = await exclude(indices, excluded);
  if (isDone && excluded) change({ ...store, undo: indices });
}

async function changeBos(tokenId?: number): Promise<void> {
  const runId = store.host?.selected;
  if (runId === undefined) return;
  const params = tokenId === undefined ? { runId } : { runId, tokenId };
  await begin(() => rpc.request('changeBos', params, { timeoutMs: patientMs }));
}

function draw(): void {
  const { host, problem } = store;
  const run = selectedRun(store);
  const samples = shownSamples(store);
  const trouble = problem === undefined ? nothing : failure(problem);
  if (!host || !run) {
    const openMix = (): void => void ask(() => rpc.request('openMix', {}));
    render(html`${trouble} ${host ? welcome(openMix) : loading()}`, top);
    for (const part of [aside, toolbar, notes]) render(nothing, part);
    toolbar.hidden = true;
    sampleList.draw();
    return;
  }
  render(
    html`${heading({
      host,
      run,
      samples: samples.length,
      busy,
      onSelect: (runId) => void ask(() => rpc.request('select', { runId })),
      onChangeBos: (tokenId) => void changeBos(tokenId),
      onResume: (until) => void begin(() => rpc.request('resume', { runId: run.id, until })),
      verdictOpen: isVerdictOpen(store),
      onVerdictOpen: (open) => {
        if (open !== isVerdictOpen(store)) change({ ...store, verdictOpen: open });
      },
    })}
    ${trouble}`,
    top,
  );
  render(
    figures({
      samples,
      diagnostics: host.diagnostics,
      open: kept.statisticsOpen ?? wide.matches,
      onToggle: (open) => {
        if (open !== (kept.statisticsOpen ?? wide.matches)) keep({ statisticsOpen: open });
      },
    }),
    aside,
  );
  drawControls(samples.length, run.samples);
  sampleList.draw();
  goBack();
}

function drawControls(all: number, expected: number): void {
  toolbar.hidden = all === 0;
  if (all === 0) {
    render(nothing, toolbar);
    render(expected > 0 ? loading() : nothing, notes);
    return;
  }
  const shown = arrangedSamples();
  render(
    controls({
      view: kept.view,
      filtersOpen: kept.filtersOpen,
      shown: shown.length,
      all,
      shownExcluded: shown.filter(({ index }) => store.excluded.has(index)).length,
      excluded: store.excluded.size,
      settled: store.host?.settled,
      undo: store.undo?.length ?? 0,
      onView: (part) => keep({ view: { ...kept.view, ...part } }),
      onFiltersOpen: (open) => keep({ filtersOpen: open }),
      onExclude: (excluded) => void excludeShown(excluded),
      onUndo: () => void exclude(store.undo ?? [], false),
    }),
    toolbar,
  );
  render(
    shown.length > 0 ? legend() : html`<p>No samples match the filters. Loosen or clear them.</p>`,
    notes,
  );
}

/** To the sample that was at the edge when the page was last seen, once it has come. */
function goBack(): void {
  if (!returnTo || returnTo.runId !== store.samplesOf) return;
  if (sampleList.goTo(returnTo)) returnTo = undefined;
}

function element(tag: string, className: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

function debounced(milliseconds: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}
