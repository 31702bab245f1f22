/** The numbers of a chart: what is drawn of a line, and how it reads under the pointer. */
import { formatChange, formatNumber, width95 } from '../../../src/protocol/format.js';
import type { ChartSpec, Line, Point } from './series.js';

export interface Drawn {
  x: number;
  y: number;
  /** Ends of the 95 % interval of `y`, where it is known. */
  low?: number;
  high?: number;
  /** What was measured there. */
  point: Point;
}

/**
 * What is drawn of a line. A change has no interval of its own: the standard error is that of the
 * score, and both models are scored on the same items.
 */
export function drawnPoints(line: Line, { measure }: Pick<ChartSpec, 'measure'>): Drawn[] {
  return line.points.flatMap((point): Drawn[] => {
    const { step: x, stderr } = point;
    const y = measure === 'change' ? point.change : point.score;
    if (y === null) return [];
    if (measure === 'change' || stderr === null) return [{ x, y, point }];
    return [{ x, y, low: y - width95 * stderr, high: y + width95 * stderr, point }];
  });
}

/**
 * Exponential moving average without the pull towards the first values: each is divided by the
 * weight it has gathered. `factor` 0 changes nothing; near 1 it is smoothest.
 */
export function smooth(values: readonly number[], factor: number): number[] {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    mean = factor * mean + (1 - factor) * value;
    weight = factor * weight + (1 - factor);
    return mean / weight;
  });
}

/** `0.875 ± 0.102 (40 items), change −0.05` */
export function describePoint({ score, stderr, n, change }: Point): string {
  const interval = stderr === null || stderr === 0 ? '' : ` ± ${formatNumber(width95 * stderr, 2)}`;
  const items = n === null ? '' : ` (${n} ${n === 1 ? 'item' : 'items'})`;
  const moved = change === null ? '' : `, change ${formatChange(change)}`;
  return `${formatNumber(score)}${interval}${items}${moved}`;
}

/** Lines that no legend entry hides. */
export function shownLines(spec: ChartSpec, hidden: ReadonlySet<string>): Line[] {
  return spec.lines.filter(({ entries }) => !entries.some((key) => hidden.has(key)));
}

/** The chart in a sentence or two, for those who do not see it. */
export function summarize(spec: ChartSpec, hidden: ReadonlySet<string>): string {
  const ends = shownLines(spec, hidden).flatMap((line) => {
    const drawn = drawnPoints(line, spec);
    const [first, last] = [drawn[0], drawn.at(-1)];
    if (first === undefined || last === undefined) return [];
    const show = spec.measure === 'change' ? formatChange : formatNumber;
    return drawn.length === 1
      ? `${line.label}: ${show(last.y)} at step ${last.x}`
      : `${line.label}: from ${show(first.y)} at step ${first.x} to ${show(last.y)} at step ${last.x}`;
  });
  return `${spec.title}; ${spec.note}. ${ends.length === 0 ? 'All lines are hidden' : ends.join('; ')}.`;
}

export interface NumbersTable {
  columns: string[];
  rows: { step: number; cells: string[] }[];
  /** Rows that were skipped, to keep the table short. */
  leftOut: number;
}

const mostRows = 100;

/** The lines as a table, a row per step; of very many steps some, evenly. */
export function tabulate(spec: ChartSpec, hidden: ReadonlySet<string>): NumbersTable {
  const lines = shownLines(spec, hidden);
  const byStep = new Map<number, string[]>();
  lines.forEach((line, i) => {
    for (const point of line.points) {
      const cells = byStep.get(point.step) ?? lines.map(() => '–');
      cells[i] = describePoint(point);
      byStep.set(point.step, cells);
    }
  });
  const all = [...byStep].sort(([a], [b]) => a - b).map(([step, cells]) => ({ step, cells }));
  const stride = Math.max(1, (all.length - 1) / (mostRows - 1));
  const picked = new Set(all.map((_, i) => Math.round(i * stride)));
  const rows = all.filter((_, i) => picked.has(i));
  return { columns: lines.map(({ label }) => label), rows, leftOut: all.length - rows.length };
}
