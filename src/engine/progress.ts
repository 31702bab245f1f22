/** Clocks: the time of an event, and how fast something goes and how long it still takes. */

/** When this process looked at the system's clock, on both clocks. */
let set: { date: number; monotonic: number } | undefined;

/**
 * The time of an event. The system's clock is looked at once: somebody may set it, or it jumps when
 * the network is back, and what passes between two events of a session is time worked.
 */
export function now(): string {
  set ??= { date: Date.now(), monotonic: performance.now() };
  return new Date(set.date + performance.now() - set.monotonic).toISOString();
}

export interface Rate {
  /**
   * Notes `units` of work just done, after which `share` (0–1) of everything is done. Units per
   * second are over the last few seconds; seconds left follow from the share done since the start.
   */
  note(units: number, share: number): { perSecond: number; secondsLeft: number };
}

/** How far back the speed looks, in milliseconds. */
const windowLength = 10_000;

/** `startShare`: what was done already when the clock starts, of a resumed job. */
export function createRate(startShare = 0): Rate {
  const start = performance.now();
  let from = startShare;
  const recent: { at: number; units: number }[] = [];
  return {
    note: (units, share) => {
      const at = performance.now();
      from = Math.min(from, share);
      recent.push({ at, units });
      while (recent.length > 1 && (recent[0]?.at ?? at) < at - windowLength) recent.shift();
      const since = recent.length > 1 ? (recent[0]?.at ?? start) : start;
      const counted = recent.length > 1 ? recent.slice(1) : recent;
      const done = counted.reduce((sum, entry) => sum + entry.units, 0);
      const elapsed = (at - start) / 1000;
      return {
        perSecond: done / Math.max(1e-9, (at - since) / 1000),
        secondsLeft: share > from ? (elapsed * (1 - share)) / (share - from) : 0,
      };
    },
  };
}
