/** Packing must change speed and nothing else: the same targets, in context of the same tokens. */
import { describe, expect, it } from 'vitest';
import type { Batch, TokenRow } from '../../../src/model/batch.js';
import { padRows } from '../../../bench/support/padRows.js';
import { assert } from '../../../src/errors.js';
import { splitIntoBatches } from '../../../src/model/packing.js';
import { createRandom } from '../../../src/random.js';

function randomRows(seed: number, count: number, maxTime: number): TokenRow[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const length = 1 + random.below(maxTime);
    return {
      ids: Int32Array.from({ length }, () => 1 + random.below(1000)),
      supervised: Uint8Array.from({ length }, (_, i) => (i === 0 ? 0 : random.below(2))),
    };
  });
}

/** Each target as what the model sees: the row's tokens before it, and the token itself. */
function targetsWithContext(batches: Batch[]): string[] {
  return batches
    .flatMap((batch) =>
      [...batch.targetPositions].map((position, k) => {
        const start = position - (batch.positions[position] ?? NaN);
        const context = batch.ids.subarray(start, position + 1).join(' ');
        return `${batch.targetRows[k]}: ${context} → ${batch.targetIds[k]}`;
      }),
    )
    .sort();
}

function expectedTargets(rows: TokenRow[]): string[] {
  return rows
    .flatMap(({ ids, supervised }, row) =>
      [...ids].flatMap((id, i) =>
        supervised[i] === 1 ? [`${row}: ${ids.subarray(0, i).join(' ')} → ${id}`] : [],
      ),
    )
    .sort();
}

/** Tokens of a line grouped by segment, with the padding checked on the way. */
function segmentsOf(batch: Batch): string[] {
  const found: string[] = [];
  for (let b = 0; b < batch.batch; b++) {
    const groups = new Map<number, number[]>();
    let last = 0;
    for (let t = 0; t < batch.time; t++) {
      const at = b * batch.time + t;
      const segment = batch.segments[at] ?? NaN;
      if (segment === 0) {
        expect([batch.ids[at], batch.positions[at]]).toEqual([0, 0]);
        last = Infinity;
        continue;
      }
      // Segments count up and padding comes last, so each segment is one unbroken stretch.
      expect(segment === last || segment === last + 1).toBe(true);
      last = segment;
      const group = groups.get(segment) ?? [];
      expect(batch.positions[at]).toBe(group.length);
      groups.set(segment, [...group, batch.ids[at] ?? NaN]);
    }
    found.push(...[...groups.values()].map((ids) => ids.join(' ')));
  }
  return found;
}

const options = { maxTime: 64, maxTokens: 256, multiple: 16 };

describe('packing', () => {
  it('lays rows side by side by hand-checkable rules', () => {
    const row = (...ids: number[]): TokenRow => ({
      ids: Int32Array.from(ids),
      supervised: Uint8Array.from(ids, (_, i) => (i === 0 ? 0 : 1)),
    });
    const rows = [row(1, 2), row(3, 4, 5, 6), row(7)];
    const [batch, ...more] = splitIntoBatches(rows, { maxTime: 8, multiple: 4, maxTokens: 8 });
    assert(batch !== undefined && more.length === 0, 'one batch');
    expect(batch.batch).toBe(2);
    expect(batch.time).toBe(4);
    expect([...batch.ids]).toEqual([3, 4, 5, 6, 1, 2, 7, 0]);
    expect([...batch.segments]).toEqual([1, 1, 1, 1, 1, 1, 2, 0]);
    expect([...batch.positions]).toEqual([0, 1, 2, 3, 0, 1, 0, 0]);
    expect([...batch.targetPositions]).toEqual([0, 1, 2, 4]);
    expect([...batch.targetIds]).toEqual([4, 5, 6, 2]);
    expect([...batch.targetRows]).toEqual([1, 1, 1, 0]);
  });

  it.each([1, 2, 3, 4, 5])('packed and padded batches hold the same targets (seed %i)', (seed) => {
    const rows = randomRows(seed, 60, 64);
    const expected = expectedTargets(rows);
    const inOne = splitIntoBatches(rows, { ...options, maxTokens: 64 * rows.length });
    expect(inOne).toHaveLength(1);
    expect(targetsWithContext(inOne)).toEqual(expected);
    expect(targetsWithContext(splitIntoBatches(rows, options))).toEqual(expected);
    expect(targetsWithContext(padRows(rows, options))).toEqual(expected);
  });

  it.each([6, 7, 8])('gives every row a segment of its own (seed %i)', (seed) => {
    const rows = randomRows(seed, 60, 64);
    const whole = rows.map((row) => row.ids.join(' ')).sort();
    for (const batches of [splitIntoBatches(rows, options), padRows(rows, options)]) {
      expect(batches.flatMap(segmentsOf).sort()).toEqual(whole);
      for (const batch of batches) {
        expect(batch.batch * batch.time).toBeLessThanOrEqual(options.maxTokens);
        expect(batch.time % options.multiple).toBe(0);
      }
    }
  });

  it('wastes less than padding, and padding wastes less than half', () => {
    const rows = randomRows(9, 200, 64).filter((row) => row.ids.length > 16);
    const real = rows.reduce((sum, row) => sum + row.ids.length, 0);
    const size = (batches: Batch[]): number => batches.reduce((n, b) => n + b.batch * b.time, 0);
    const packed = size(splitIntoBatches(rows, options));
    const padded = size(padRows(rows, options));
    expect(packed).toBeLessThan(padded);
    expect(real / padded).toBeGreaterThan(0.5);
    expect(real / packed).toBeGreaterThan(0.85);
  });

  it('is deterministic', () => {
    const rows = randomRows(10, 40, 64);
    expect(splitIntoBatches(rows, options)).toEqual(splitIntoBatches(rows, options));
  });

  it('keeps the line within maxTime when that is no multiple', () => {
    const rows = randomRows(11, 10, 50);
    for (const { time } of splitIntoBatches(rows, { maxTime: 50, maxTokens: 256 })) {
      expect(time).toBeLessThanOrEqual(50);
    }
  });

  it('gives no batches for no rows', () => {
    expect(splitIntoBatches([], options)).toEqual([]);
    expect(padRows([], options)).toEqual([]);
  });

  it('refuses a row longer than maxTime, and a target without a token before it', () => {
    const long = randomRows(12, 1, 1).map(() => ({
      ids: new Int32Array(65),
      supervised: new Uint8Array(65),
    }));
    expect(() => splitIntoBatches(long, options)).toThrow(/Internal error: a row of 65 tokens/);
    const first = { ids: Int32Array.of(1), supervised: Uint8Array.of(1) };
    expect(() => splitIntoBatches([first], options)).toThrow(/first token of row 0 is a target/);
    expect(() => splitIntoBatches(randomRows(1, 9, 64), { ...options, maxTokens: 8 })).toThrow(
      /cannot hold one line/,
    );
  });
});
