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

/** A speed and a time left; null while nothing can be said of them yet. */
export interface Pace {
  perSecond: number | null;
  secondsLeft: number | null;
}

/** A piece of work that has just been done, in any unit of its own: steps, mostly. */
export interface Piece {
  done: number;
  /** How much of the same is still to be done. */
  left: number;
}

export interface Rate {
  /** Notes that `units` (tokens) have just been worked through, by a piece of the whole work. */
  note(units: number, piece: Piece): Pace;
}

/** How far back the speed looks, in milliseconds. */
const windowLength = 10_000;

/**
 * Units per second over the last few seconds, and the time left at the speed since the first piece.
 * The first piece itself counts for neither: it makes sessions and touches memory for the first time,
 * so it says little about those that follow.
 */
export function createRate(): Rate {
  let start: number | undefined;
  let worked = 0;
  const recent: { at: number; units: number }[] = [];
  return {
    note: (units, { done, left }) => {
      const at = performance.now();
      recent.push({ at, units });
      if (start === undefined) {
        start = at;
        return { perSecond: null, secondsLeft: left > 0 ? null : 0 };
      }
      worked += done;
      while (recent.length > 2 && (recent[0]?.at ?? at) < at - windowLength) recent.shift();
      const [oldest, ...later] = recent;
      const sum = later.reduce((total, entry) => total + entry.units, 0);
      const between = (at - (oldest?.at ?? start)) / 1000;
      return {
        perSecond: between > 0 ? sum / between : null,
        secondsLeft: worked > 0 ? ((at - start) / 1000 / worked) * left : null,
      };
    },
  };
}
