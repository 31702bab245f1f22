/**
 * What a method minimises. The training graph computes Σ weight · (−log p(target)); a method says
 * how much each row's targets weigh. The loop knows nothing else of methods.
 */
import type { MixedStep } from '../mixer/mixer.js';

export interface Objective {
  /** For each row of a step, the weight of every one of its targets. `[rows]` */
  rowWeights(step: MixedStep): Float32Array;
}

export interface ObjectiveSettings {
  /** λ: weight of the loss on context-free samples. */
  lambda: number;
}

/** Plain fine-tuning: the mean over the dataset's response tokens of the step. */
function sft(): Objective {
  return { rowWeights: (step) => weigh(step, { dataset: 1, cfs: 0 }) };
}

/**
 * L = L_SFT + λ·L_CFS (arXiv 2505.13811): L_SFT is the mean over the dataset's response tokens of the
 * step, L_CFS the mean over all tokens of its context-free samples. Each mean is over its own
 * tokens, so λ does not depend on how long the samples are or how many are mixed in.
 */
function cfs({ lambda }: ObjectiveSettings): Objective {
  return { rowWeights: (step) => weigh(step, { dataset: 1, cfs: lambda }) };
}

export const objectives: Record<string, (settings: ObjectiveSettings) => Objective> = { sft, cfs };

function weigh(step: MixedStep, weights: Record<'dataset' | 'cfs', number>): Float32Array {
  const targets = { dataset: 0, cfs: 0 };
  step.rows.forEach((row, i) => {
    targets[step.sources[i] ?? 'dataset'] += countTargets(row.supervised);
  });
  return Float32Array.from(step.sources, (source) => weights[source] / targets[source]);
}

export function countTargets(supervised: Uint8Array): number {
  return supervised.reduce((sum, flag) => sum + flag, 0);
}
