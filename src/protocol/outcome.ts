/** What a change of a score means, the same in the report and on the pages. */
import type { TaskResult } from './records.js';

/** Better or worse only where the interval tells the change from none. */
export type Outcome = 'better' | 'worse' | 'unclear';

export function outcomeOf({
  interval,
  higherIsBetter,
}: Pick<TaskResult, 'interval' | 'higherIsBetter'>): Outcome {
  if (interval === undefined) return 'unclear';
  const [low, high] = interval;
  if (low <= 0 && high >= 0) return 'unclear';
  return low > 0 === higherIsBetter ? 'better' : 'worse';
}
