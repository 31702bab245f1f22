/**
 * Keeps reading from holding up the process: every few milliseconds messages get their turn, a
 * reading that nobody wants any more ends there, and how far it is is told now and then.
 */

/** Longest stretch without a turn for messages, in milliseconds. */
const stretch = 15;
/** Least time from one progress report to the next, in milliseconds. */
const tellEvery = 200;

export type Pace = (file: string, rows: number) => Promise<void> | undefined;

/**
 * A maker of `pace` functions for `scanDataset`. What they throw once their signal is aborted is the
 * signal's reason. All of them together tell at most five times a second.
 */
export function createPacing(tell: (progress: { file: string; rows: number }) => void) {
  let told = -Infinity;
  return (signal: AbortSignal): Pace => {
    let turned = performance.now();
    const turn = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      turned = performance.now();
    };
    return (file, rows) => {
      const at = performance.now();
      if (at - told >= tellEvery) {
        told = at;
        tell({ file, rows });
      }
      return at - turned < stretch ? undefined : turn();
    };
  };
}
