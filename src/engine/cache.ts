/**
 * What was computed lately, by everything it depends on, so that moving one setting computes again
 * only what depends on it. Work that nobody wants any more can be ended.
 */

export interface Cache<T> {
  /** The value of `key`; `make` is asked once, also while its promise is still open. */
  get(key: string, make: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Ends the work under way for all keys but these. */
  endAllBut(keys: ReadonlySet<string>): void;
  /** Keeps the `count` values that were asked for last. */
  trim(count: number): void;
}

interface Entry<T> {
  value: Promise<T>;
  controller: AbortController;
  done: boolean;
}

export function createCache<T>(): Cache<T> {
  // A map keeps the order of insertion, which is that of use here.
  const entries = new Map<string, Entry<T>>();
  const forget = (key: string, entry: Entry<T>): void => {
    if (entries.get(key) === entry) entries.delete(key);
  };
  return {
    get: (key, make) => {
      const known = entries.get(key);
      if (known) {
        entries.delete(key);
        entries.set(key, known);
        return known.value;
      }
      const controller = new AbortController();
      const entry = { value: make(controller.signal), controller, done: false };
      entries.set(key, entry);
      entry.value.then(
        () => (entry.done = true),
        // Whoever asked hears of the error; the next to ask gets another try.
        () => forget(key, entry),
      );
      return entry.value;
    },
    endAllBut: (keys) => {
      for (const [key, entry] of entries) {
        if (entry.done || keys.has(key)) continue;
        forget(key, entry);
        entry.controller.abort();
      }
    },
    trim: (count) => {
      const finished = [...entries].filter(([, { done }]) => done);
      for (const [key] of finished.slice(0, Math.max(0, finished.length - count))) {
        entries.delete(key);
      }
    },
  };
}
