/** Learning rate over the steps of a run: linear warm-up, then cosine, linear or constant. */
import type { ScheduleName } from '../protocol/settings.js';

export interface Schedule {
  name: ScheduleName;
  /** The peak. */
  learningRate: number;
  /** Steps of linear warm-up from 0 (the first step already moves). */
  warmupSteps: number;
  /** All steps of the run, warm-up included. */
  steps: number;
}

/**
 * The learning rate of `step` (from 0), as the schedules of `transformers` define it, except that
 * warm-up counts from 1, so that no step is spent on a rate of 0.
 */
export function learningRateAt(schedule: Schedule, step: number): number {
  const { name, learningRate, warmupSteps, steps } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  if (name === 'constant') return learningRate;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  if (name === 'linear') return learningRate * Math.max(0, 1 - progress);
  return (learningRate * (1 + Math.cos(Math.PI * Math.min(1, progress)))) / 2;
}
