/** The training loop: steps, clipping, skipped steps, evaluation, checkpoints, stopping. */
import { CfsError, defined } from '../errors.js';
import type { Mixer, MixerCursor } from '../mixer/mixer.js';
import type { Architecture } from '../model/architecture.js';
import type { LogEnds } from '../protocol/logEnds.js';
import type { Device } from '../runtime/index.js';
import {
  loadCheckpoint,
  newestCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
  type TrainingState,
} from './checkpoint.js';
import { createOptimizer, type Transform } from './optimizer.js';
import { learningRateAt, type Schedule } from './schedule.js';
import {
  createGradientComputer,
  type GradientReport,
  type Objective,
  type StepShape,
} from './step.js';
import type { ParameterStore } from './store.js';

export interface TrainerOptions {
  device: Device;
  architecture: Architecture;
  store: ParameterStore;
  /** The data, from where a checkpoint left it. */
  createMixer(cursor: MixerCursor | undefined): Mixer;
  objective: Objective;
  shape: StepShape;
  /** From gradient to update; its state is kept by the store. */
  optimizer: readonly Transform[];
  schedule: Schedule;
  /** Gradients with a larger global norm are scaled down to it. */
  clipNorm: number;
  checkpoints: {
    folder: string;
    every: number;
    keep: number;
    /** A hash over what the run is made from. */
    inputs: string;
    /** Where the logs of the run end, once what they say is on the disk. */
    logs?: () => LogEnds;
  };
  /** Steps after which the weights are measured. */
  evaluateAt: ReadonlySet<number>;
  /** Measures the current weights; the answer, higher is better, chooses the best checkpoint. */
  evaluate(step: number): Promise<number | undefined>;
  /** Ask the loop to write a checkpoint and return. */
  signal: AbortSignal;
  onStep(report: StepReport): void;
  onCheckpoint(report: { step: number; path: string; best: boolean }): void;
  onWarning(warning: CfsError): void;
}

export interface StepReport extends GradientReport {
  /** Number of this step, from 1. */
  step: number;
  learningRate: number;
  /** Whether the update was left out because loss or gradient was not finite. */
  skipped: boolean;
  seconds: number;
}

export type TrainingEnd = { kind: 'finished' | 'stopped'; state: TrainingState };

/** A run that has skipped this many steps in a row is not going to recover. */
const maxSkippedInARow = 5;

/**
 * Trains from the newest usable checkpoint, or from the store's weights where there is none, until
 * the schedule ends or the signal asks to stop. Throws `TRAINING_DIVERGED`, `WRITE_FAILED`.
 */
export async function train(options: TrainerOptions): Promise<TrainingEnd> {
  const { device, architecture, store, objective, schedule, checkpoints, signal } = options;
  const state = (await resume(options)) ?? { step: 0, updates: 0, skipped: 0, skippedInARow: 0 };
  const mixer = options.createMixer(state.cursor);
  const gradients = createGradientComputer(device, architecture, store, options.shape, objective);
  const optimizer = await createOptimizer(device, store, options.optimizer);
  let saved = state.step;

  const save = async (): Promise<void> => {
    if (saved === state.step) return;
    state.cursor = mixer.cursor();
    const { folder, inputs, logs } = checkpoints;
    const path = await saveCheckpoint(folder, store, state, inputs, logs?.());
    saved = state.step;
    const best = state.best?.step === state.step;
    options.onCheckpoint({ step: state.step, path, best });
    pruneCheckpoints(checkpoints.folder, checkpoints.keep, state.best?.step);
  };

  const step = async (): Promise<StepReport> => {
    const started = performance.now();
    const report = await gradients.compute(defined(mixer.next(), 'next step'));
    const learningRate = learningRateAt(schedule, state.step);
    const finite = Number.isFinite(report.loss) && Number.isFinite(report.norm);
    if (finite) {
      state.updates++;
      // As torch.nn.utils.clip_grad_norm_ does it.
      const scale = Math.min(1, options.clipNorm / (report.norm + 1e-6));
      await optimizer.update(state.updates, learningRate, scale);
    }
    state.step++;
    state.skipped += finite ? 0 : 1;
    state.skippedInARow = finite ? 0 : state.skippedInARow + 1;
    const seconds = (performance.now() - started) / 1000;
    return { ...report, step: state.step, learningRate, skipped: !finite, seconds };
  };

  try {
    while (state.step < schedule.steps) {
      if (signal.aborted) {
        await save();
        return { kind: 'stopped', state };
      }
      options.onStep(await step());
      if (state.skippedInARow >= maxSkippedInARow) throw diverged(state);
      const last = state.step === schedule.steps;
      if (options.evaluateAt.has(state.step)) {
        const score = await options.evaluate(state.step);
        if (score !== undefined && score > (state.best?.score ?? -Infinity)) {
          state.best = { step: state.step, score };
          await save();
        }
      }
      if (state.step % checkpoints.every === 0 || last) await save();
      // `run` blocks the thread: let messages and signals in between steps.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { kind: 'finished', state };
  } finally {
    await gradients.release();
    await optimizer.release();
  }
}

/** Loads the newest checkpoint that is whole, warning of each that is not. */
async function resume(options: TrainerOptions): Promise<TrainingState | undefined> {
  const { folder, inputs } = options.checkpoints;
  const newest = await newestCheckpoint(folder, (warning) => options.onWarning(warning));
  return newest === undefined ? undefined : loadCheckpoint(folder, newest, options.store, inputs);
}

function diverged(state: TrainingState): CfsError {
  return new CfsError({
    code: 'TRAINING_DIVERGED',
    message: `Loss or gradient was not finite in ${state.skippedInARow} consecutive steps, up to step ${state.step}.`,
    remedy: 'Lower the learning rate (a tenth is a good first try) and start again.',
    place: { field: 'training.learningRate' },
  });
}
