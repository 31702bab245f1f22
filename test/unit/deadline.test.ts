import { describe, expect, it } from 'vitest';
import { DeadlinePassed, withinTime } from '../../src/deadline.js';

describe('work within a time', () => {
  it('gives its result, or what it throws', () => {
    expect(withinTime(60_000, () => [1])).toEqual([1]);
    expect(withinTime(60_000, () => undefined)).toBeUndefined();
    const fault = new TypeError('as it was');
    const failing = (): never => {
      throw fault;
    };
    expect(() => withinTime(60_000, failing)).toThrow(fault);
  });

  it('may have other such work inside', () => {
    const inner = (): number => withinTime(60_000, () => 2);
    expect(withinTime(60_000, () => 1 + inner() + inner())).toBe(5);
  });

  it('ends a regular expression that would go on for ages', () => {
    const endless = (): boolean => /^(a+)+$/.test(`${'a'.repeat(60)}b`);
    expect(() => withinTime(50, endless)).toThrow(DeadlinePassed);
    expect(withinTime(60_000, () => 'after')).toBe('after');
  });
});
