/** What the mixer hands out, apart from how: methods and pages know this much of it. */
import type { TokenRow } from '../model/batch.js';

/** The rows of one optimizer step. */
export interface MixedStep {
  /** From 0. */
  epoch: number;
  /** From 0 in each epoch. */
  index: number;
  /** In the order of the sources: dataset rows first. */
  rows: TokenRow[];
  /** For each row: the id of its source, and its index there. */
  sources: string[];
  rowIndices: number[];
}
