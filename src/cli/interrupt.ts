/**
 * Ctrl-C: once to stop with a checkpoint, twice to stop at once.
 */
import type { Io } from './io.js';

/** From now on the first SIGINT or SIGTERM aborts the signal, and the second ends the process. */
export function interrupted({ err }: Pick<Io, 'err'>): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once: the next signal then finds no handler and ends the process at once, even while a step
    // is being computed and no JavaScript runs.
    process.once(signal, () => {
      err('\nstopping after a checkpoint; press Ctrl-C again to stop at once\n');
      controller.abort();
    });
  }
  return controller.signal;
}
