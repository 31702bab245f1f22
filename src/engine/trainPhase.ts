/** The phase that trains: the configuration's settings put into the trainer's terms. */
import { defined } from '../errors.js';
import { createMixer, planEpoch, stepCount } from '../mixer/mixer.js';
import type { RowStore } from '../mixer/rowStore.js';
import type { Architecture } from '../model/architecture.js';
import type { RunEvent } from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';
import { listCheckpoints } from '../trainer/checkpoint.js';
import { objectives } from '../trainer/objective.js';
import type { Transform } from '../trainer/optimizer.js';
import type { StepShape } from '../trainer/step.js';
import { train, type StepReport } from '../trainer/trainer.js';
import { adamW } from '../trainer/transforms.js';
import { phase, warning, type Job } from './context.js';
import { downstreamTask, finite, headlines, type Evaluator, type Scores } from './evaluation.js';
import { measure } from './measurePhase.js';
import { createRate, now } from './progress.js';

export async function trainModel(
  job: Job,
  dataset: RowStore,
  cfs: RowStore | undefined,
  evaluator: Evaluator,
  base: Scores,
) {
  const { config, device, model, store, run, signal, report } = job;
  const { training, mix, evaluation, seed, method } = config;
  const { architecture } = model;
  const { mode, cfsShare, lambda } = mix;
  const settings = { mode, cfsShare, batchRows: training.batchRows };
  const plan = planEpoch(dataset.count, cfs?.count ?? 0, settings);
  const steps = stepCount(runLength(training), plan.steps);
  const rate = createRate((listCheckpoints(run.paths.checkpoints)[0] ?? 0) / steps);
  report(phase('training', 0, steps));
  return train({
    device,
    architecture,
    store,
    createMixer: (cursor) => createMixer({ dataset, cfs, ...settings, seed, cursor }),
    objective: defined(objectives[method], `objective ${method}`)({ lambda }),
    shape: stepShape(config, architecture, Math.max(dataset.longest, cfs?.longest ?? 0)),
    optimizer: optimizerOf(config),
    schedule: {
      name: training.schedule,
      learningRate: training.learningRate,
      warmupSteps: Math.round(training.warmup * steps),
      steps,
    },
    clipNorm: training.clipNorm,
    checkpoints: {
      folder: run.paths.checkpoints,
      every: training.checkpointEvery,
      keep: training.keepCheckpoints,
      base: job.base.hash,
    },
    evaluateEvery: evaluation.every,
    evaluate: async (step) => {
      // The last step is measured in full afterwards.
      if (step === steps && evaluation.bestBy === 'last') return undefined;
      const { comparisons, kl } = await measure(job, evaluator, base, 'subset', step);
      report(phase('training', step, steps));
      const tasks = headlines(comparisons.filter(({ task }) => task !== downstreamTask));
      const loss = comparisons.find(({ task }) => task === downstreamTask)?.current.score;
      switch (evaluation.bestBy) {
        case 'last':
          return undefined;
        case 'downstream':
          return loss === undefined ? undefined : -loss;
        case 'tasks':
          return -tasks.reduce((sum, { forgetting }) => sum + forgetting, 0);
        case 'kl':
          return kl && -kl.perSequence;
      }
    },
    signal,
    onStep: (step) => report(trainStep(step, rate.note(step.tokens, step.step / steps))),
    onCheckpoint: ({ step, path, best }) =>
      report({
        type: 'checkpoint',
        time: now(),
        step,
        path: path.slice(run.folder.length + 1),
        best,
      }),
    onWarning: (found) => report(warning(found)),
  });
}

/** What turns gradients into updates; the store keeps what it remembers. */
export function optimizerOf({ training }: RunConfig): Transform[] {
  return adamW({ ...training, decayVectors: false });
}

/** Steps win over epochs. */
export function runLength({ steps, epochs }: RunConfig['training']) {
  return steps === undefined ? { epochs } : { steps };
}

/** The shape of a run's passes, for rows of at most `longest` tokens. */
export function stepShape(
  { training }: RunConfig,
  { contextLength }: Architecture,
  longest: number,
): StepShape {
  const time = Math.min(Math.ceil(longest / 16) * 16, contextLength);
  const { maxTokensPerMicroBatch, lossChunks } = training;
  return { time, maxTokens: Math.max(maxTokensPerMicroBatch, time), lossChunks };
}

function trainStep(step: StepReport, rate: { perSecond: number; secondsLeft: number }): RunEvent {
  return {
    type: 'train_step',
    time: now(),
    step: step.step,
    loss: finite(step.loss),
    sftLoss: finite(step.sourceLoss.dataset),
    cfsLoss: finite(step.sourceLoss.cfs),
    learningRate: step.learningRate,
    gradNorm: finite(step.norm),
    tokens: step.tokens,
    tokensPerSecond: finite(rate.perSecond),
    secondsLeft: finite(rate.secondsLeft),
    ...(step.skipped ? { skipped: true } : {}),
  };
}
