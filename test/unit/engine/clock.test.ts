/** Time worked is the time between events, whatever becomes of the system's clock meanwhile. */
import { afterEach, expect, it, vi } from 'vitest';
import { progress } from '../../../src/engine/context.js';
import { timeWorked } from '../../../src/protocol/history.js';

afterEach(() => void vi.useRealTimers());

it('counts no hours that a clock was set ahead, and none less that it was set back', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.parse('2026-11-28T20:00:00Z') });
  const events = [progress('loading', 0, 0)];
  const pass = (seconds: number): void => {
    vi.advanceTimersByTime(seconds * 1000);
    events.push(progress('training', events.length, 9));
  };
  pass(5);
  vi.setSystemTime('2026-11-29T08:00:00Z');
  pass(10);
  vi.setSystemTime('2026-11-28T19:00:00Z');
  pass(20);
  expect(timeWorked(events)).toEqual({ loading: 5, training: 30, total: 35 });
});
