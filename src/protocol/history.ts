/**
 * What really happened in a run. An engine that is killed after step 120 and resumes from the
 * checkpoint of step 100 writes steps 101 to 120 a second time; everyone who draws a curve must
 * leave out the first writing, which led nowhere.
 */
import type { RunEvent, RunEventOf } from './records.js';

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
