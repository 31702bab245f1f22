/** Which rows are held out: as many as asked for, always the same, and none of them trained on. */
import { describe, expect, it } from 'vitest';
import { holdOutRows } from '../../../src/mixer/holdOut.js';
import { createRowStoreBuilder, type RowStore } from '../../../src/mixer/rowStore.js';

/** Row i holds i twice, the second time as a target, and one more token where i is even. */
function rows(count: number): RowStore {
  const builder = createRowStoreBuilder();
  for (let i = 0; i < count; i++) {
    const ids = Int32Array.from(i % 2 === 0 ? [i, i, 0] : [i, i]);
    builder.push({ ids, supervised: Uint8Array.from(ids, (_, t) => (t === 1 ? 1 : 0)) }, at(i));
  }
  return builder.finish();
}

const at = (i: number) => ({ file: 0, line: i + 1 });
const numbers = (store: RowStore): number[] =>
  Array.from({ length: store.count }, (_, i) => store.row(i).ids[0] ?? NaN);

describe('holdOutRows', () => {
  it('splits the rows into two parts in their order, with their places and sums', () => {
    const store = rows(40);
    const { trained, heldOut } = holdOutRows(store, 0.25, 3);
    expect([trained.count, heldOut.count]).toEqual([30, 10]);
    const all = [...numbers(trained), ...numbers(heldOut)];
    expect(all.toSorted((a, b) => a - b)).toEqual(numbers(store));
    for (const part of [trained, heldOut]) {
      const own = numbers(part);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
      expect(own.map((_, i) => part.origin(i))).toEqual(own.map(at));
      const even = own.filter((i) => i % 2 === 0).length;
      expect(part).toMatchObject({ tokens: 2 * own.length + even, supervisedTokens: own.length });
    }
    expect(trained.longest).toBe(3);
  });

  it('follows from the seed alone', () => {
    const held = (seed: number): number[] => numbers(holdOutRows(rows(40), 0.25, seed).heldOut);
    expect(held(3)).toEqual(held(3));
    expect(held(4)).not.toEqual(held(3));
  });

  it.each([
    [3, 0.01, 1],
    [2, 0.4, 1],
    [2000, 0.5, 500],
  ])('of %i rows at %f holds out %i', (count, share, expected) => {
    expect(holdOutRows(rows(count), share, 0).heldOut.count).toBe(expected);
  });

  it.each([
    [1, 0.1],
    [3, 0.9],
  ])('refuses to leave nothing of %i rows at %f', (count, share) => {
    expect(() => holdOutRows(rows(count), share, 0)).toThrow(
      expect.objectContaining({ code: 'HOLD_OUT_TOO_LARGE' }) as Error,
    );
  });
});
