/**
 * The phase that trains: the configuration's settings put into the trainer's terms, once for the
 * plan and for the run.
 */
import { CfsError } from '../../errors.js';
import { downstreamTask } from '../../evaluator/taskNames.js';
import { planEpoch, stepCount, type SourceSize } from '../../mixer/epoch.js';
import { createMixer, type Source } from '../../mixer/mixer.js';
import { expectedRows } from '../../mixer/preview.js';
import type { Architecture } from '../../model/architecture.js';
import { parameterCount } from '../../model/parameters.js';
import type { ProviderName } from '../../protocol/providers.js';
import type { RunEvent } from '../../protocol/records.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { RunFolder } from '../../runs/runFolder.js';
import { lastStep } from '../../trainer/checkpoint.js';
import { stateOf, type Transform } from '../../trainer/optimizer.js';
import { objectiveOf, type StepShape } from '../../trainer/step.js';
import { planStore, type StorePlan } from '../../trainer/storePlan.js';
import { train as runTrainer, type StepReport, type TrainingEnd } from '../../trainer/trainer.js';
import { adamW, pullToAnchor } from '../../trainer/transforms.js';
import { progress, warning, type Job } from '../context.js';
import { finite, headlines, type Evaluator, type Scores } from '../evaluation.js';
import { chosenMethod } from '../method.js';
import { createRate, now, type Pace } from '../progress.js';
import { drawSteps } from './drawnSteps.js';
import { measure, measuringWork } from './measure.js';
import type { Phase } from './phase.js';
import { own } from '../../own.js';

export interface TrainingInput {
  sources: readonly Source[];
  evaluator: Evaluator;
  /** The base model's scores. */
  base: Scores;
}

export const train: Phase<TrainingInput, TrainingEnd> = {
  name: 'training',
  plan: (facts) => {
    const { config, model } = facts;
    const { architecture } = model;
    const sources = facts.sources.map((source) => ({ ...source, rows: expectedRows(source.rows) }));
    const steps = stepsOf(config, sources);
    const shape = stepShape(config, architecture, sources);
    const checkpoints = plannedCheckpoints(config, sources);
    const passes = drawSteps(facts, shape, steps);
    const times = measuredSteps(config, steps).length;
    return [
      { kind: 'train', shape, steps, checkpoints, ...passes },
      ...(times > 0 ? measuringWork(facts, 'subset', times) : []),
    ];
  },
  run: (job, { sources, evaluator, base }) => {
    const { config, device, model, store, run, writer, identity, signal, report } = job;
    const { training, mix, seed } = config;
    const { architecture } = model;
    const { method, settings } = chosenMethod(config);
    const mixing = { mode: mix.mode, batchRows: training.batchRows };
    const steps = stepsOf(config, sources);
    const done = lastStep(run.paths.checkpoints);
    if (done > steps) throw tooFewSteps(run, steps, done);
    const rate = createRate();
    report(progress('training', done, steps));
    return runTrainer({
      device,
      architecture,
      store,
      createMixer: (cursor) => createMixer({ sources, ...mixing, seed, cursor }),
      objective: objectiveOf(method, settings),
      shape: stepShape(config, architecture, sources),
      optimizer: optimizerOf(config, architecture),
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
        inputs: identity.digest(),
        logs: () => writer.flush(),
      },
      evaluateAt: new Set(measuredSteps(config, steps)),
      evaluate: async (step) => {
        const score = await measureDuring(job, evaluator, base, step);
        report(progress('training', step, steps));
        return score;
      },
      signal,
      onStep: (step) => {
        const pace = rate.note(step.tokens, { done: 1, left: steps - step.step });
        report(trainStep(step, sources, pace));
      },
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
  },
};

/** The steps of a run: `training.steps` wins over epochs. Throws what `planEpoch` throws. */
export function stepsOf(config: RunConfig, sources: readonly SourceSize[]): number {
  const { mix, training } = config;
  const plan = planEpoch(sources, { mode: mix.mode, batchRows: training.batchRows });
  return stepCount(runLength(training), plan.steps);
}

/** How many checkpoints a run writes in all. Throws what `planEpoch` throws. */
export function plannedCheckpoints(config: RunConfig, sources: readonly SourceSize[]): number {
  return Math.ceil(stepsOf(config, sources) / config.training.checkpointEvery);
}

export function runLength({ steps, epochs }: RunConfig['training']) {
  return steps === undefined ? { epochs } : { steps };
}

/** The shape of a run's passes: lines that hold the longest row. */
function stepShape(
  { training }: RunConfig,
  { contextLength }: Architecture,
  sources: readonly { rows: { longest: number } }[],
): StepShape {
  const longest = Math.max(...sources.map(({ rows }) => rows.longest));
  const time = Math.min(Math.ceil(longest / 16) * 16, contextLength);
  const { maxTokensPerMicroBatch, lossChunks } = training;
  return { time, maxTokens: Math.max(maxTokensPerMicroBatch, time), lossChunks };
}

/**
 * The steps after which the weights are measured during training. The last one is measured in full
 * afterwards, so it is among them only where it is to be compared with the others.
 */
function measuredSteps({ evaluation }: RunConfig, steps: number): number[] {
  const { every, bestBy } = evaluation;
  if (every === 0) return [];
  const before = Array.from({ length: Math.ceil(steps / every) - 1 }, (_, i) => (i + 1) * every);
  return bestBy === 'last' ? before : [...before, steps];
}

/** How good the weights are by the measure that chooses the best checkpoint; higher is better. */
async function measureDuring(
  job: Job,
  evaluator: Evaluator,
  base: Scores,
  step: number,
): Promise<number | undefined> {
  const { weights } = job.store;
  const measurement = { weights, base, extent: 'subset', step } as const;
  const { comparisons, kl } = await measure(job, evaluator, measurement);
  const tasks = headlines(comparisons.filter(({ task }) => task !== downstreamTask));
  const loss = comparisons.find(({ task }) => task === downstreamTask)?.current.score;
  switch (job.config.evaluation.bestBy) {
    case 'last':
      return undefined;
    case 'downstream':
      return loss === undefined ? undefined : -loss;
    case 'tasks':
      return -tasks.reduce((sum, { forgetting }) => sum + forgetting, 0);
    case 'kl':
      return kl && -kl.perSequence;
  }
}

/** What turns gradients into updates; the store keeps what it remembers. */
function optimizerOf(config: RunConfig, { parameters }: Architecture): Transform[] {
  const { method, settings } = chosenMethod(config);
  const pull = method.regularizer?.(settings);
  const regularizers = pull ? [pullToAnchor(pull.strength, parameterCount(parameters))] : [];
  return adamW({ ...config.training, decayVectors: false }, regularizers);
}

/** What a run keeps of every tensor. */
export function storePlanOf(
  config: RunConfig,
  architecture: Architecture,
  provider: ProviderName,
): StorePlan {
  const { needsBase } = chosenMethod(config).method;
  const state = new Set(stateOf(optimizerOf(config, architecture)));
  if (needsBase) state.add('anchor');
  return planStore(architecture.parameters, [...state], provider);
}

function trainStep(
  step: StepReport,
  sources: readonly Source[],
  { perSecond, secondsLeft }: Pace,
): RunEvent {
  return {
    type: 'train_step',
    time: now(),
    step: step.step,
    loss: finite(step.loss),
    losses: Object.fromEntries(sources.map(({ id }) => [id, finite(own(step.losses, id))])),
    learningRate: step.learningRate,
    gradNorm: finite(step.norm),
    tokens: step.tokens,
    tokensPerSecond: perSecond,
    secondsLeft,
    ...(step.skipped ? { skipped: true } : {}),
  };
}

function tooFewSteps({ paths }: RunFolder, steps: number, done: number): CfsError {
  return new CfsError({
    code: 'RUN_CHANGED',
    message: `The run has already taken ${done} steps; run.yaml now asks for ${steps} in all.`,
    remedy: `Ask for at least ${done} steps, or start a new run, from step 0, with \`cfs-studio run ${paths.config}\`.`,
    place: { file: paths.config, field: 'training.steps' },
  });
}
