/**
 * How often other work got its turn while something was going on: what “does not hold up the event
 * loop” means without a stopwatch, whose figures would depend on the machine.
 */
import { setImmediate } from 'node:timers/promises';

export async function countTurns<T>(work: Promise<T>): Promise<{ result: T; turns: number }> {
  let pending = true;
  const ended = work.finally(() => (pending = false));
  // Awaited below; until then a failure must not count as unhandled.
  ended.catch(() => undefined);
  let turns = 0;
  while (pending) {
    await setImmediate();
    turns++;
  }
  return { result: await ended, turns };
}
