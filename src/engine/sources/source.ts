/** What a kind of rows is to a run: expected before it, for preview and estimate, and made in it. */
import type { PlannedRows } from '../../mixer/preview.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { Job } from '../context.js';
import type { Model } from '../model.js';
import type { Work } from '../work.js';

export interface SourceKind {
  /** See `protocol/sourceRoles.ts`. */
  role: string;
  /** Its share of the rows of an epoch; each row once when left out. */
  share?: (config: RunConfig) => number | undefined;
  /** The rows that a run with this dataset would train on, or how many it would make. */
  expected: (config: RunConfig, model: Model, dataset: RowStore) => RowStore | PlannedRows;
  /** What it takes to make so many rows; nothing when left out. */
  work?: (config: RunConfig, model: Model, rows: number) => Work[];
  /**
   * Makes in a job what the rows need, resumably. The answer is asked for the rows when training
   * begins: until then people may still choose among them.
   */
  prepare: (job: Job, dataset: RowStore) => Promise<() => RowStore>;
}
