/**
 * A list of which only the rows in sight are in the page. Rows have heights of their own, guessed
 * first and measured when drawn. What is above the list in the same scroller may grow and shrink.
 */
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type Range,
  type VirtualItem,
} from '@tanstack/virtual-core';

export interface VirtualRows {
  count: number;
  /** The same row keeps its key, and so its measured height, when it moves. */
  keyOf: (position: number) => number;
  /** Pixels. */
  guessHeight: (position: number) => number;
}

export interface VirtualListOptions {
  scroller: HTMLElement;
  list: HTMLElement;
  /** A row that must stay in the page out of sight, since it has the focus. */
  pinned: () => number | undefined;
  /** Pixels at the scroller's upper edge that something sticky covers. */
  covered: () => number;
  /** What is to be drawn has changed; by scrolling, or because a row has another height now. */
  onChange: (by: 'scroll' | 'height') => void;
}

export interface VirtualList {
  /** Before drawing. Heights are added up again only when it is given another object. */
  update(rows: VirtualRows): void;
  /** The rows to draw; `start` counts from the upper edge of the list. */
  items(): readonly VirtualItem[];
  /** Height of the whole list, pixels. */
  height(): number;
  /** After drawing: measures the rows, which carry their position as `data-index`. */
  measure(): void;
  scrollTo(position: number, align: 'auto' | 'start'): void;
  /** Pixels from the upper edge of the list to that of a row. */
  startOf(position: number): number | undefined;
  /** Scrolls so many pixels on, and draws as if it had; the list has its height already. */
  shift(by: number): void;
  /** The first row in sight below what covers it, and how many pixels of it are hidden. */
  top(): { position: number; offset: number } | undefined;
}

export function createVirtualList(options: VirtualListOptions): VirtualList {
  const { scroller, list, pinned, covered, onChange } = options;
  const virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
    count: 0,
    getScrollElement: () => scroller,
    estimateSize: () => 0,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    overscan: 3,
    onChange: ({ isScrolling }) => onChange(isScrolling ? 'scroll' : 'height'),
  });
  virtualizer._didMount();
  let extra: number | undefined;
  let rangeExtractor = defaultRangeExtractor;
  // Whole pixels: a fraction that comes and goes would have all heights added up again.
  const margin = (): number =>
    Math.round(
      list.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop,
    );

  return {
    update: ({ count, keyOf, guessHeight }) => {
      // Positions are worked out again only for another function.
      if (pinned() !== extra) {
        extra = pinned();
        rangeExtractor = withExtra(extra);
      }
      virtualizer.setOptions({
        ...virtualizer.options,
        count,
        getItemKey: keyOf,
        estimateSize: guessHeight,
        rangeExtractor,
        scrollMargin: margin(),
        scrollPaddingStart: covered(),
      });
      virtualizer._willUpdate();
    },
    items: () => {
      const { scrollMargin } = virtualizer.options;
      return virtualizer
        .getVirtualItems()
        .map((item) => ({ ...item, start: item.start - scrollMargin }));
    },
    height: () => virtualizer.getTotalSize(),
    measure: () => {
      for (const row of list.querySelectorAll<HTMLElement>('[data-index]')) {
        virtualizer.measureElement(row);
      }
      // Lets go of rows that have left the page.
      virtualizer.measureElement(null);
    },
    scrollTo: (position, align) => virtualizer.scrollToIndex(position, { align }),
    startOf: (position) => {
      // Positions are brought up to date only when they are asked for.
      virtualizer.getTotalSize();
      const item = virtualizer.measurementsCache[position];
      return item && item.start - virtualizer.options.scrollMargin;
    },
    shift: (by) => {
      scroller.scrollTop += by;
      virtualizer.scrollOffset = scroller.scrollTop;
    },
    top: () => {
      const edge = scroller.scrollTop + covered();
      const item = virtualizer.getVirtualItemForOffset(edge);
      return item && { position: item.index, offset: Math.max(0, edge - item.start) };
    },
  };
}

/** The rows in sight, and one more. */
function withExtra(extra: number | undefined): (range: Range) => number[] {
  return (range) => {
    const positions = defaultRangeExtractor(range);
    if (extra === undefined || extra >= range.count || positions.includes(extra)) return positions;
    return [...positions, extra].sort((a, b) => a - b);
  };
}
