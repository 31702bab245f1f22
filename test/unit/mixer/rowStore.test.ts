/** The identity of rows by their content. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { TokenRow } from '../../../src/model/batch.js';
import { joinStores, selectRows, storeRows } from '../../../src/mixer/rowStore.js';
import { createRandom } from '../../../src/random.js';
import { randomRows } from '../../support/tinyTraining.js';

const row = (ids: number[], supervised: number[]): TokenRow => ({
  ids: Int32Array.from(ids),
  supervised: Uint8Array.from(supervised),
});

/** What the documentation of `hash` says, byte by byte. */
function reference(rows: readonly TokenRow[]): string {
  const hash = createHash('sha256');
  for (const { ids, supervised } of rows) {
    for (const number of [ids.length, ...ids]) {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(number);
      hash.update(bytes);
    }
    hash.update(Buffer.from(supervised));
  }
  return hash.digest('hex');
}

describe('the hash of a store', () => {
  it('is that of its rows, however they are stored', () => {
    const rows = randomRows(60, 8);
    const expected = reference(rows);
    expect(storeRows(rows).hash()).toBe(expected);
    const parts = [rows.slice(0, 21), rows.slice(21, 22), rows.slice(22)];
    expect(joinStores(parts.map(storeRows)).hash()).toBe(expected);
    const reversed = storeRows(rows.toReversed());
    expect(reversed.hash()).not.toBe(expected);
    const back = Uint32Array.from({ length: 60 }, (_, i) => 59 - i);
    expect(selectRows(reversed, back).hash()).toBe(expected);
  });

  it('is that of rows of any length', () => {
    // Around the size of a piece: 2²⁰ bytes are some 209,715 tokens.
    const random = createRandom(4);
    const rows = [3, 150_000, 209_713, 0, 300_000, 1].map((length) => ({
      ids: Int32Array.from({ length }, () => random.below(50_000)),
      supervised: Uint8Array.from({ length }, (_, i) => i % 2),
    }));
    expect(storeRows(rows).hash()).toBe(reference(rows));
  });

  it('tells tokens, flags, borders and order apart', () => {
    const stores = [
      [row([1, 2], [0, 1]), row([3, 4], [0, 1])],
      [row([1, 2], [0, 1]), row([3, 5], [0, 1])],
      [row([1, 2], [0, 1]), row([3, 4], [0, 0])],
      [row([1, 2, 3], [0, 1, 0]), row([4], [1])],
      [row([3, 4], [0, 1]), row([1, 2], [0, 1])],
      [row([1, 2], [0, 1]), row([3, 4], [0, 1]), row([], [])],
      [],
    ];
    const hashes = stores.map((rows) => storeRows(rows).hash());
    expect(new Set(hashes).size).toBe(stores.length);
  });
});
