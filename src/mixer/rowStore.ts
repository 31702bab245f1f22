/**
 * Tokenized rows, kept compactly: five bytes a token in two arrays and an offset per row, so that a
 * dataset's text can be forgotten and millions of rows fit in memory.
 */
import { createHash } from 'node:crypto';
import { assert, defined } from '../errors.js';
import { countSupervised, type TokenRow } from '../model/batch.js';

/** Index into the list of dataset files, and the line there, from 1. */
export interface Origin {
  file: number;
  line: number;
}

export interface RowStore {
  count: number;
  /** Tokens of all rows, and the supervised ones among them. */
  tokens: number;
  supervisedTokens: number;
  /** Tokens of the longest row. */
  longest: number;
  /** Row `index`; its arrays are views, not to be written. */
  row(index: number): TokenRow;
  /** Where row `index` was read; undefined for samples. */
  origin(index: number): Origin | undefined;
  /**
   * Identity by content: SHA-256 over the rows in order, for each its length, token ids and
   * `supervised` flags. Computed when it is first asked for.
   */
  hash(): string;
}

export interface RowStoreBuilder {
  push(row: TokenRow, origin?: Origin): void;
  /** The store of all rows pushed; the builder is used up. */
  finish(): RowStore;
}

/** Lines count from 1. */
const NO_ORIGIN: Origin = { file: 0, line: 0 };

/** A store of rows that are at hand already, for instance context-free samples. */
export function storeRows(rows: Iterable<TokenRow>): RowStore {
  const builder = createRowStoreBuilder();
  for (const row of rows) builder.push(row);
  return builder.finish();
}

/** The rows of `store` at `indices`, in that order, without copying them. */
export function selectRows(store: RowStore, indices: Uint32Array): RowStore {
  const at = (index: number): number => defined(indices[index], `row ${index}`);
  let [tokens, supervisedTokens, longest] = [0, 0, 0];
  for (const index of indices) {
    const row = store.row(index);
    tokens += row.ids.length;
    supervisedTokens += countSupervised(row);
    longest = Math.max(longest, row.ids.length);
  }
  return withHash({
    count: indices.length,
    tokens,
    supervisedTokens,
    longest,
    row: (index) => store.row(at(index)),
    origin: (index) => store.origin(at(index)),
  });
}

/**
 * The rows of several stores, one after the other, without copying them. The file of an origin is then
 * the number of its store: each holds the rows of one file.
 */
export function joinStores(stores: readonly RowStore[]): RowStore {
  const [only] = stores;
  if (stores.length === 1 && only) return only;
  let count = 0;
  const starts = stores.map((store) => (count += store.count) - store.count);
  const at = (index: number) => {
    const number = starts.findLastIndex((start) => start <= index);
    return { number, store: defined(stores[number], 'store'), row: index - (starts[number] ?? 0) };
  };
  const sum = (value: (store: RowStore) => number): number =>
    stores.reduce((total, store) => total + value(store), 0);
  return withHash({
    count,
    tokens: sum(({ tokens }) => tokens),
    supervisedTokens: sum(({ supervisedTokens }) => supervisedTokens),
    longest: Math.max(0, ...stores.map(({ longest }) => longest)),
    row: (index) => {
      const { store, row } = at(index);
      return store.row(row);
    },
    origin: (index) => {
      const { store, row, number } = at(index);
      const origin = store.origin(row);
      return origin && { ...origin, file: number };
    },
  });
}

export function createRowStoreBuilder(): RowStoreBuilder {
  let ids = new Int32Array(1 << 12);
  let supervised = new Uint8Array(1 << 12);
  let used = 0;
  let supervisedTokens = 0;
  let longest = 0;
  const ends: number[] = [];
  const files: number[] = [];
  const lines: number[] = [];

  const push = (row: TokenRow, origin: Origin = NO_ORIGIN): void => {
    const length = row.ids.length;
    assert(row.supervised.length === length, 'a row has as many flags as tokens');
    if (used + length > ids.length) {
      const size = Math.max(2 * ids.length, used + length);
      ids = grown(ids, new Int32Array(size));
      supervised = grown(supervised, new Uint8Array(size));
    }
    ids.set(row.ids, used);
    supervised.set(row.supervised, used);
    used += length;
    supervisedTokens += countSupervised(row);
    longest = Math.max(longest, length);
    ends.push(used);
    files.push(origin.file);
    lines.push(origin.line);
  };

  const finish = (): RowStore => {
    const arena = { ids: ids.slice(0, used), supervised: supervised.slice(0, used) };
    const bounds = new Float64Array(ends.length + 1);
    bounds.set(ends, 1);
    const fileOf = Uint32Array.from(files);
    const lineOf = Uint32Array.from(lines);
    return withHash({
      count: lines.length,
      tokens: used,
      supervisedTokens,
      longest,
      row: (index) => {
        const start = defined(bounds[index], `row ${index}`);
        const end = defined(bounds[index + 1], `row ${index}`);
        return {
          ids: arena.ids.subarray(start, end),
          supervised: arena.supervised.subarray(start, end),
        };
      },
      origin: (index) => {
        const line = defined(lineOf[index], `row ${index}`);
        return line === 0 ? undefined : { file: defined(fileOf[index], `row ${index}`), line };
      },
    });
  };
  return { push, finish };
}

/** Completes a store by the hash of its rows. */
export function withHash(store: Omit<RowStore, 'hash'>): RowStore {
  let hash: string | undefined;
  return { ...store, hash: () => (hash ??= hashRows(store)) };
}

/** Rows are gathered in pieces of this size: a call for each short row would take most of the time. */
const pieceBytes = 1 << 20;

function hashRows({ count, row }: Pick<RowStore, 'count' | 'row'>): string {
  const hash = createHash('sha256');
  let piece = new Uint8Array(pieceBytes);
  let used = 0;
  const append = (values: Int32Array | Uint8Array): void => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    if (used + bytes.length > piece.length) {
      hash.update(piece.subarray(0, used));
      used = 0;
      if (bytes.length > piece.length) piece = new Uint8Array(bytes.length);
    }
    piece.set(bytes, used);
    used += bytes.length;
  };
  for (let index = 0; index < count; index++) {
    const { ids, supervised } = row(index);
    append(Int32Array.of(ids.length));
    append(ids);
    append(supervised);
  }
  return hash.update(piece.subarray(0, used)).digest('hex');
}

function grown<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
