/**
 * Ctrl-C: once to stop with a checkpoint, twice to stop at once.
 */
import type { Io } from './io.js';
import type { Launcher } from './launched.js';

export const stoppingText = '\nstopping after a checkpoint; press Ctrl-C again to stop at once\n';

/**
 * From now on the first SIGINT or SIGTERM aborts the signal, and the second ends the process; the
 * launcher, where there is one, sees to the same for signals that reach only it.
 */
export function interrupted({ err }: Pick<Io, 'err'>, launcher?: Launcher): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once: the next signal then finds no handler and ends the process at once, even while a step
    // is being computed and no JavaScript runs.
    process.once(signal, () => {
      // The launcher has most likely said it already: it need not wait for the end of a step.
      if (launcher) launcher.tell({ type: 'interrupted' });
      else err(stoppingText);
      controller.abort();
    });
  }
  launcher?.onInterrupt(() => controller.abort());
  return controller.signal;
}
