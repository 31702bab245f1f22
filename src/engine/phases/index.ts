/** The phases of a job, in their order; `job.ts` hands from one to the next what it needs. */
import type { Work } from '../work.js';
import { measureBase, measureEnd } from './measure.js';
import type { RunFacts } from './phase.js';
import { save } from './save.js';
import { train } from './train.js';
import { write } from './write.js';

/**
 * All the work of a run, as its phases say it; the one that prepares asks this itself. Throws what
 * `planEpoch` throws.
 */
export function planRun(facts: RunFacts): Work[] {
  return [write, measureBase, train, measureEnd, save].flatMap((phase) => phase.plan(facts));
}
