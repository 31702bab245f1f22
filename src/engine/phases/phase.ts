/**
 * A phase of a job as a value: what it is going to do (`plan`) stands beside what does it (`run`), in
 * one file, and both read the same settings through the same functions.
 */
import type { ExpectedSource } from '../../mixer/preview.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { Phase as PhaseName } from '../../protocol/records.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { Job } from '../context.js';
import type { Model } from '../model.js';
import type { Requests, Work } from '../work.js';

/** What is known of a run before it runs. */
export interface RunFacts {
  config: RunConfig;
  model: Model;
  /** The sources of the mix; the dataset holds the rows that are trained on. */
  sources: readonly ExpectedSource[];
  /** Held-out rows; perhaps none. */
  downstream: RowStore;
  /** What each task asks on all its items. */
  tasks: readonly Requests[];
}

export interface Phase<Input, Output> {
  name: PhaseName;
  /** All of its work, also what a resumed run finds done already. */
  plan(facts: RunFacts): Work[];
  run(job: Job, input: Input): Promise<Output>;
}
