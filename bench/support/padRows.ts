/** The layout that packing is compared with: one row per line, rows of like length together. */
import { defined } from '../../src/errors.js';
import type { Batch, TokenRow } from '../../src/model/batch.js';
import {
  groupsOf,
  layOut,
  lineLength,
  linesPerBatch,
  longestFirst,
  type SplitOptions,
} from '../../src/model/packing.js';

/**
 * One row per line. Rows are sorted by length (longest first) and a Batch holds rows of one length
 * bucket only (`multiple` × 1, 2, 4, …), so less than half of it is padding.
 */
export function padRows(rows: readonly TokenRow[], options: SplitOptions): Batch[] {
  const buckets = new Map<number, number[]>();
  for (const index of longestFirst(rows)) {
    const width = lineLength([defined(rows[index], 'row')], options);
    const bucket = Math.ceil(Math.log2(width / (options.multiple ?? 16)));
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), index]);
  }
  return [...buckets.values()].flatMap((indices) => {
    const time = lineLength(
      indices.map((i) => defined(rows[i], 'row')),
      options,
    );
    const lines = indices.map((index) => [index]);
    return groupsOf(lines, linesPerBatch(time, options)).map((group) => layOut(rows, group, time));
  });
}
