/**
 * The list of samples: which rows are in the page, what keys and the pointer do in it, and where it
 * stood when the page was last seen. It follows the feed pattern of ARIA, which is made for rows that
 * come and go: each row is an article that knows its place, and arrow keys walk from one to the next.
 */
import { html, render } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { SampleSummary } from '../../src/protocol/inspector.js';
import { createVirtualList, type VirtualRows } from '../shared/virtualList.js';
import { createHitMarks } from './hits.js';
import { guessHeight, sampleRow } from './sample.js';
import { createTokenCursor } from './tokenCursor.js';
import type { TokenSource } from './tokens.js';
import { oncePerFrame } from '../shared/oncePerFrame.js';
import { own } from '../../src/own.js';

export interface ListContent {
  samples: readonly SampleSummary[];
  excluded: ReadonlySet<number>;
  expanded: ReadonlySet<number>;
  settled: string | undefined;
  /** What is searched for, as `searchedFor` makes it. */
  wanted: string;
  /** While it stays the same, other samples mean that some were written or taken out. */
  order: unknown;
  /** Whether more samples are on their way. */
  busy: boolean;
}

export interface ListOptions {
  /** Scrolls the list and what is above it. */
  scroller: HTMLElement;
  list: HTMLElement;
  /** What sticks to the upper edge of the scroller. */
  toolbar: HTMLElement;
  tokens: TokenSource;
  content: () => ListContent;
  onToggle: (index: number) => void;
  onExclude: (index: number) => void;
  /** For a live region. */
  announce: (text: string) => void;
  onScroll: () => void;
}

export interface SampleList {
  draw(): void;
  /** The sample at the upper edge; nothing where the list has not been scrolled to yet. */
  place(): { index: number; offset: number } | undefined;
  /** Scrolls there, if the sample is in the list. */
  goTo(place: { index: number; offset: number }): boolean;
}

/** How many samples a page key moves by. */
const pageStep = 5;

export function createSampleList(options: ListOptions): SampleList {
  const { scroller, list, toolbar, tokens, content, onToggle, onExclude } = options;
  /** The sample that keys act on, and where it is in the list. */
  let active: { index: number; position: number } | undefined;
  let rows:
    (VirtualRows & { of: ListContent; width: number; positions: Map<number, number> }) | undefined;
  let isDrawing = false;
  const plan = oncePerFrame(draw);

  const virtual = createVirtualList({
    scroller,
    list,
    pinned: () => (active && hasFocus() ? rows?.positions.get(active.index) : undefined),
    covered: () => toolbar.offsetHeight,
    onChange: (by) => {
      // Heights are known after layout and before painting: drawn now, nobody sees rows overlap.
      if (by === 'height' && !isDrawing) draw();
      else plan();
    },
  });
  const markHits = createHitMarks(list);
  const cursor = createTokenCursor({ list, tokens, announce: options.announce });

  scroller.addEventListener('scroll', () => {
    cursor.follow();
    options.onScroll();
  });
  new ResizeObserver(plan).observe(scroller);
  list.addEventListener('focusin', ({ target }) => {
    const row = (target as Element).closest<HTMLElement>('.sample');
    if (row) activate(Number(row.dataset.sample));
    plan();
  });
  list.addEventListener('keydown', onKey);

  function hasFocus(): boolean {
    return list.contains(document.activeElement);
  }

  function activate(index: number): void {
    const position = rows?.positions.get(index);
    if (position === undefined) return;
    if (active?.index !== index) cursor.leave();
    active = { index, position };
  }

  /** New only where something changed, since heights are then added up again. */
  function arrangeRows(now: ListContent): NonNullable<typeof rows> {
    const width = list.clientWidth;
    const { samples, expanded, wanted } = now;
    if (rows?.of.samples === samples && rows.of.expanded === expanded && rows.width === width) {
      return rows;
    }
    const at = (position: number): SampleSummary | undefined => samples[position];
    /** Guesses made; a guess is asked for again whenever a row above is measured. */
    const guesses = new Float64Array(samples.length);
    return {
      of: now,
      width,
      positions: new Map(samples.map(({ index }, position) => [index, position])),
      count: samples.length,
      keyOf: (position) => at(position)?.index ?? -1,
      guessHeight: (position) => {
        const sample = at(position);
        if (!sample) return 0;
        const known = guesses[position];
        if (known) return known;
        const row = { sample, expanded: expanded.has(sample.index), wanted };
        return (guesses[position] = guessHeight(row, width));
      },
    };
  }

  function draw(): void {
    const now = content();
    const hadFocus = hasFocus();
    isDrawing = true;
    const anchor = anchorFor(now);
    rows = arrangeRows(now);
    const gone = active && !rows.positions.has(active.index);
    if (active && gone) {
      const successor = now.samples[Math.min(active.position, now.samples.length - 1)];
      active = successor && hadFocus ? { index: successor.index, position: 0 } : undefined;
    }
    if (active) active = { ...active, position: rows.positions.get(active.index) ?? 0 };
    virtual.update(rows);
    list.style.height = `${virtual.height()}px`;
    const moved = anchor && rows.positions.get(anchor.index);
    const start = moved === undefined ? undefined : virtual.startOf(moved);
    if (anchor && start !== undefined && start !== anchor.start)
      virtual.shift(start - anchor.start);
    const items = virtual.items();
    const shown = items.flatMap((item) => {
      const sample = now.samples[item.index];
      return sample ? [{ item, sample }] : [];
    });
    tokens.want(shown.map(({ sample }) => sample.index));
    const reachable = hadFocus && active ? active.position : virtual.top()?.position;
    list.setAttribute('aria-busy', String(now.busy));
    render(
      html`${repeat(
        shown,
        ({ sample }) => sample.index,
        ({ item, sample }) =>
          sampleRow({
            sample,
            tokens: tokens.get(sample.index),
            position: item.index,
            count: now.samples.length,
            top: item.start,
            expanded: now.expanded.has(sample.index),
            excluded: now.excluded.has(sample.index),
            reachable: item.index === reachable,
            wanted: now.wanted,
            settled: now.settled,
            onToggle: () => onToggle(sample.index),
            onExclude: () => onExclude(sample.index),
          }),
      )}`,
      list,
    );
    virtual.measure();
    isDrawing = false;
    if (gone && hadFocus && active) rowOf(active.index)?.focus({ preventScroll: true });
    cursor.refresh();
    markHits(now.wanted);
  }

  /**
   * The row that stays where it is while samples are added or taken away: the one with the focus,
   * else the first in sight. Nothing where people look at the beginning of the list, which stays.
   */
  function anchorFor(now: ListContent): { index: number; start: number } | undefined {
    if (!rows || rows.of.order !== now.order || rows.of.samples === now.samples) return undefined;
    const top = virtual.top();
    const isBelow = top !== undefined && (top.position > 0 || top.offset > 0);
    const position = active && hasFocus() ? active.position : isBelow ? top.position : undefined;
    const sample = position === undefined ? undefined : rows.of.samples[position];
    const start = position === undefined ? undefined : virtual.startOf(position);
    return sample && start !== undefined ? { index: sample.index, start } : undefined;
  }

  function rowOf(index: number): HTMLElement | null {
    return list.querySelector<HTMLElement>(`[data-sample="${index}"]`);
  }

  function goToPosition(position: number): void {
    const samples = rows?.of.samples ?? [];
    const sample = samples[Math.max(0, Math.min(samples.length - 1, position))];
    if (!sample) return;
    activate(sample.index);
    virtual.scrollTo(active?.position ?? 0, 'auto');
    draw();
    rowOf(sample.index)?.focus({ preventScroll: true });
  }

  function onKey(event: KeyboardEvent): void {
    if (!active || event.altKey || event.metaKey || (event.ctrlKey && !isEdge(event.key))) return;
    const { index, position } = active;
    const actions: Record<string, () => void> = {
      ArrowDown: () => goToPosition(position + 1),
      ArrowUp: () => goToPosition(position - 1),
      PageDown: () => goToPosition(position + pageStep),
      PageUp: () => goToPosition(position - pageStep),
      Home: () => goToPosition(0),
      End: () => goToPosition((rows?.count ?? 0) - 1),
      ArrowRight: () => walk(index, 1),
      ArrowLeft: () => walk(index, -1),
      Escape: () => cursor.leave(),
      x: () => onExclude(index),
      // On one of the row's buttons, Enter is that button's.
      ...(event.target instanceof HTMLButtonElement ? {} : { Enter: () => onToggle(index) }),
    };
    const action = own(actions, event.key);
    if (!action) return;
    event.preventDefault();
    action();
  }

  function walk(index: number, by: 1 | -1): void {
    if (cursor.walk(index, by) === 'hidden') {
      onToggle(index);
      draw();
      cursor.walk(index, by);
    }
  }

  return {
    draw,
    place: () => {
      const top = virtual.top();
      const sample = top && rows?.of.samples[top.position];
      if (!top || !sample || scroller.scrollTop === 0) return undefined;
      return { index: sample.index, offset: top.offset };
    },
    goTo: ({ index, offset }) => {
      const position = rows?.positions.get(index);
      if (position === undefined) return false;
      virtual.scrollTo(position, 'start');
      // Its rows have to be drawn and measured before pixels inside one mean anything.
      requestAnimationFrame(() => requestAnimationFrame(() => scroller.scrollBy(0, offset)));
      return true;
    },
  };
}

function isEdge(key: string): boolean {
  return key === 'Home' || key === 'End';
}
