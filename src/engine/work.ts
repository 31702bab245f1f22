/**
 * Work in numbers: what a phase of a job is going to do, as far as time and memory depend on it. The
 * phases say it of themselves (`phases/`), kinds of sources of what they make (`sources/`); the
 * estimate only adds it up.
 */
import type { PassSize } from '../model/trunk.js';
import type { StepShape } from '../trainer/step.js';

/** Samples written with one decoder. */
export interface WritingWork {
  samples: number;
  /** Longest sample in tokens, the BOS token not counted. */
  length: number;
  /** Rows decoded side by side. */
  batch: number;
}

export interface TrainingWork {
  shape: StepShape;
  steps: number;
  checkpoints: number;
  /** Passes of an average step: the first, and those that add to it. */
  first: PassSize;
  /** How many follow the first on average, and their mean size. */
  more: number;
  next: PassSize;
  /** The largest pass. */
  largest: PassSize;
}

/** Rows of one length, and how many there are. */
export interface ScoredRows {
  tokens: number;
  targets: number;
  rows: number;
}

export interface WrittenRows {
  prompt: number;
  tokens: number;
  rows: number;
}

/** What a task, or rows, ask of a model. */
export interface Requests {
  items: number;
  scored: ScoredRows[];
  written: WrittenRows[];
}

/** Requests that are asked so many times. */
export type ScoringWork = { kind: 'score'; times: number } & Requests;

export type Work =
  ({ kind: 'write' } & WritingWork) | ({ kind: 'train' } & TrainingWork) | ScoringWork;

/** The work of one kind. */
export function ofKind<K extends Work['kind']>(
  work: readonly Work[],
  kind: K,
): Extract<Work, { kind: K }>[] {
  return work.filter((one): one is Extract<Work, { kind: K }> => one.kind === kind);
}

/** The requests of so many items of the same kind. */
export function scaled({ items, scored, written }: Requests, count: number): Requests {
  const share = Math.min(1, count / items);
  const scale = <T extends { rows: number }>(row: T): T => ({ ...row, rows: row.rows * share });
  return { items: items * share, scored: scored.map(scale), written: written.map(scale) };
}
