/**
 * Measuring several programs on one machine: by turns, so that whatever slows the machine down slows
 * all of them, and with a pause between them, so that no one is measured while the threads of the
 * last one still spin.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Thread pools spin for some milliseconds after a run, Intel's OpenMP for 200 ms. */
const pauseMilliseconds = 300;

/** `rounds` times each contestant once; every second round in the opposite order. */
export async function alternate(
  rounds: number,
  contestants: readonly ((round: number) => Promise<void>)[],
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const measure of round % 2 === 0 ? contestants : [...contestants].reverse()) {
      await sleep(pauseMilliseconds);
      await measure(round);
    }
  }
}
