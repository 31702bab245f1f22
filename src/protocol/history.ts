/**
 * What really happened in a run, which may take several sessions. An engine that is killed after
 * step 120 and resumes from the checkpoint of step 100 writes steps 101 to 120 a second time;
 * everyone who draws a curve must leave out the first writing, which led nowhere. The time it took was
 * worked all the same.
 */
import { phases, type Phase, type RunEvent, type RunEventOf } from './records.js';

/** The events in order, without those of steps that a later `run_started` went back behind. */
export function trueHistory(events: readonly RunEvent[]): RunEvent[] {
  const kept: RunEvent[] = [];
  let earliest = Infinity;
  for (const event of events.toReversed()) {
    if (event.type === 'run_started') earliest = Math.min(earliest, event.step);
    else if (isOfStep(event) && event.step > earliest) continue;
    kept.push(event);
  }
  return kept.reverse();
}

/** What the events of a run say until now of the time worked. */
export interface WorkClock {
  /** Seconds by phase, in all sessions. */
  readonly seconds: Readonly<Partial<Record<Phase, number>>>;
  readonly phase: Phase;
  /** When the last event was, in milliseconds; undefined before the first. */
  readonly at?: number;
  /** Whether the session has come to its `run_started`. */
  readonly started: boolean;
}

export const noWork: WorkClock = { seconds: {}, phase: 'loading', started: false };

/**
 * The clock after one more event. A session begins by loading and lasts until its last event, also
 * where it was killed; what passes between two sessions is no work. Steps that a later session did
 * again count each time.
 */
export function clockEvent(clock: WorkClock, event: RunEvent): WorkClock {
  const at = Date.parse(event.time);
  const begins =
    (event.type === 'phase' && event.phase === 'loading') ||
    (event.type === 'run_started' && (clock.started || clock.at === undefined));
  const passed = begins ? 0 : Math.max(0, at - (clock.at ?? at)) / 1000;
  const before = clock.seconds[clock.phase] ?? 0;
  return {
    seconds: passed > 0 ? { ...clock.seconds, [clock.phase]: before + passed } : clock.seconds,
    phase: phaseOf(event) ?? (begins ? 'loading' : clock.phase),
    at,
    started: event.type === 'run_started' || (clock.started && !begins),
  };
}

/** Seconds by phase, in the order of a run, and in all (`total`). */
export function secondsWorked({ seconds }: WorkClock): Record<string, number> & { total: number } {
  const known = phases.flatMap((phase) => {
    const value = seconds[phase];
    return value === undefined ? [] : [[phase, value] as const];
  });
  const total = known.reduce((sum, [, value]) => sum + value, 0);
  return { ...Object.fromEntries(known), total };
}

/** Seconds worked on a run with these events, as `secondsWorked` gives them. */
export function timeWorked(events: readonly RunEvent[]): ReturnType<typeof secondsWorked> {
  return secondsWorked(events.reduce(clockEvent, noWork));
}

/** The phase that an event begins, or tells of. */
function phaseOf(event: RunEvent): Phase | undefined {
  if (event.type === 'phase') return event.phase;
  return event.type === 'sample_progress' ? 'generating' : undefined;
}

/** The events of one type. */
export function eventsOf<T extends RunEvent['type']>(
  events: readonly RunEvent[],
  type: T,
): RunEventOf<T>[] {
  return events.filter((event): event is RunEventOf<T> => event.type === type);
}

function isOfStep(
  event: RunEvent,
): event is RunEventOf<'train_step' | 'evaluation' | 'checkpoint'> {
  return event.type === 'train_step' || event.type === 'evaluation' || event.type === 'checkpoint';
}
