/** The cache that lets a moved setting be answered from memory. */
import { describe, expect, it } from 'vitest';
import { createCache } from '../../../src/engine/cache.js';

/** Work that ends when it is told to, and counts how often it was begun. */
function work() {
  let begun = 0;
  const ended: string[] = [];
  const make =
    (name: string) =>
    (signal: AbortSignal): Promise<string> => {
      begun++;
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          ended.push(name);
          reject(new Error(`${name} ended`));
        });
        setTimeout(() => resolve(name), 5);
      });
    };
  return { make, ended, begun: () => begun };
}

describe('the cache', () => {
  it('makes a value once, also while it is being made', async () => {
    const { make, begun } = work();
    const cache = createCache<string>();
    const both = await Promise.all([cache.get('a', make('a')), cache.get('a', make('a'))]);
    expect([...both, await cache.get('a', make('a'))]).toEqual(['a', 'a', 'a']);
    expect(begun()).toBe(1);
  });

  it('ends work that is not wanted and begins it anew when it is', async () => {
    const { make, ended, begun } = work();
    const cache = createCache<string>();
    const lost = cache.get('a', make('a'));
    const kept = cache.get('b', make('b'));
    cache.endAllBut(new Set(['b']));
    await expect(lost).rejects.toThrow('a ended');
    expect(await kept).toBe('b');
    expect(ended).toEqual(['a']);
    expect(await cache.get('a', make('a'))).toBe('a');
    expect(begun()).toBe(3);
  });

  it('gives a failure to who asked, and another try to the next', async () => {
    const cache = createCache<number>();
    await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await cache.get('a', () => Promise.resolve(1))).toBe(1);
  });

  it('keeps what was used last', async () => {
    const { make, begun } = work();
    const cache = createCache<string>();
    for (const name of ['a', 'b', 'c', 'a']) await cache.get(name, make(name));
    cache.trim(2);
    for (const name of ['a', 'c']) await cache.get(name, make(name));
    expect(begun()).toBe(3);
    await cache.get('b', make('b'));
    expect(begun()).toBe(4);
  });
});
