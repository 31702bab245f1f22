/**
 * The tokens of the samples on the screen. One question is open at a time, and the next one asks for
 * what is needed by then: however fast people scroll, the host is never asked for rows long gone.
 */
import type { SampleTokens } from '../../src/protocol/inspector.js';

export interface TokenSource {
  /** The tokens of a sample, once they are here. */
  get(index: number): SampleTokens | undefined;
  /** These samples are on the screen now. */
  want(indices: readonly number[]): void;
  /** Another set of samples is shown: forgets everything. */
  reset(): void;
}

export interface TokenSourceOptions {
  fetch: (indices: number[]) => Promise<readonly SampleTokens[]>;
  onArrival: () => void;
  onProblem: (problem: unknown) => void;
  /** Samples kept; those unseen for longest are dropped. */
  capacity?: number;
}

/** The most that the host answers at once. */
const batch = 200;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { fetch, onArrival, onProblem, capacity = 600 } = options;
  /** In order of use, the latest last. */
  let kept = new Map<number, SampleTokens>();
  /** Asked for in vain; not asked again, or a broken file would be read forever. */
  let missing = new Set<number>();
  let wanted: readonly number[] = [];
  let asking = false;
  let generation = 0;

  const ask = async (): Promise<void> => {
    const lacking = wanted.filter((index) => !kept.has(index) && !missing.has(index));
    if (asking || lacking.length === 0) return;
    const indices = lacking.slice(0, batch);
    const asked = generation;
    asking = true;
    let arrived: readonly SampleTokens[] = [];
    try {
      arrived = await fetch(indices);
    } catch (problem) {
      if (asked === generation) onProblem(problem);
    }
    asking = false;
    if (asked === generation) {
      for (const sample of arrived) kept.set(sample.index, sample);
      for (const index of indices) if (!kept.has(index)) missing.add(index);
      drop();
      if (arrived.length > 0) onArrival();
    }
    await ask();
  };

  const drop = (): void => {
    const inUse = new Set(wanted);
    for (const index of kept.keys()) {
      if (kept.size <= capacity) return;
      if (!inUse.has(index)) kept.delete(index);
    }
  };

  return {
    get: (index) => kept.get(index),
    want: (indices) => {
      wanted = [...indices];
      for (const index of indices) {
        const sample = kept.get(index);
        if (!sample) continue;
        kept.delete(index);
        kept.set(index, sample);
      }
      void ask();
    },
    reset: () => {
      generation++;
      kept = new Map();
      missing = new Set();
      wanted = [];
    },
  };
}
