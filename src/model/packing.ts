/**
 * Rows of tokens → the batches a forward pass is fed: rows share a line and never see each other,
 * because their segments differ. The same rows give the same batches, ties broken by row index.
 * `npm run bench:packing` holds this layout against padding.
 */
import { assert, defined } from '../errors.js';
import type { Batch, TokenRow } from './batch.js';

export interface LayoutOptions {
  /** No line is longer than this; a longer row is a bug of the caller, who truncates before. */
  maxTime: number;
  /** Line lengths are rounded up to a multiple of this (at most `maxTime`); default 16. */
  multiple?: number;
}

export interface SplitOptions extends LayoutOptions {
  /** Upper bound of `batch * time` of each Batch; at least one line of the longest row. */
  maxTokens: number;
}

/** The rows (indices into the caller's list) that share one line, in order. */
export type Line = number[];

/**
 * Packs the rows into as few Batches as `maxTokens` allows, all with the same `time`. `targetRows`
 * are indices into `rows` in every Batch, so per-row sums can be gathered across them.
 */
export function splitIntoBatches(rows: readonly TokenRow[], options: SplitOptions): Batch[] {
  if (rows.length === 0) return [];
  const time = lineLength(rows, options);
  return groupsOf(fillLines(rows, time), linesPerBatch(time, options)).map((lines) =>
    layOut(rows, lines, time),
  );
}

/** The longest row, rounded up. */
export function lineLength(
  rows: readonly TokenRow[],
  { maxTime, multiple = 16 }: LayoutOptions,
): number {
  const longest = rows.reduce((most, row) => Math.max(most, row.ids.length), 1);
  assert(longest <= maxTime, `a row of ${longest} tokens is longer than maxTime ${maxTime}`);
  return Math.min(Math.ceil(longest / multiple) * multiple, maxTime);
}

export function linesPerBatch(time: number, { maxTokens }: SplitOptions): number {
  assert(maxTokens >= time, `maxTokens ${maxTokens} cannot hold one line of ${time} tokens`);
  return Math.floor(maxTokens / time);
}

function fillLines(rows: readonly TokenRow[], time: number): Line[] {
  const lines: { rows: Line; free: number }[] = [];
  for (const index of longestFirst(rows)) {
    const length = rowAt(rows, index).ids.length;
    let line = lines.find((candidate) => candidate.free >= length);
    if (line === undefined) {
      line = { rows: [], free: time };
      lines.push(line);
    }
    line.rows.push(index);
    line.free -= length;
  }
  return lines.map((line) => line.rows);
}

/** Row indices, the longest row first. */
export function longestFirst(rows: readonly TokenRow[]): number[] {
  return rows
    .map((row, index) => ({ length: row.ids.length, index }))
    .sort((a, b) => b.length - a.length || a.index - b.index)
    .map(({ index }) => index);
}

/** The batch of given lines of rows, `time` tokens each. */
export function layOut(rows: readonly TokenRow[], lines: readonly Line[], time: number): Batch {
  const size = lines.length * time;
  const batch = {
    ids: new Int32Array(size),
    positions: new Int32Array(size),
    segments: new Int32Array(size),
  };
  const targets = { positions: [] as number[], ids: [] as number[], rows: [] as number[] };
  lines.forEach((line, b) => {
    let at = b * time;
    line.forEach((index, k) => {
      const { ids, supervised } = rowAt(rows, index);
      assert(supervised[0] !== 1, `the first token of row ${index} is a target`);
      batch.ids.set(ids, at);
      batch.segments.fill(k + 1, at, at + ids.length);
      for (let i = 0; i < ids.length; i++) {
        batch.positions[at + i] = i;
        if (supervised[i] !== 1) continue;
        targets.positions.push(at + i - 1);
        targets.ids.push(defined(ids[i], 'token'));
        targets.rows.push(index);
      }
      at += ids.length;
    });
  });
  return {
    batch: lines.length,
    time,
    ...batch,
    targetPositions: Int32Array.from(targets.positions),
    targetIds: Int32Array.from(targets.ids),
    targetRows: Int32Array.from(targets.rows),
  };
}

export function groupsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

function rowAt(rows: readonly TokenRow[], index: number): TokenRow {
  return defined(rows[index], `row ${index}`);
}
