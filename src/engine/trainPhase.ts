/** The phase that trains: the configuration's settings put into the trainer's terms. */
import { planEpoch, stepCount } from '../mixer/epoch.js';
import { createMixer, type Source } from '../mixer/mixer.js';
import type { Architecture } from '../model/architecture.js';
import { parameterCount } from '../model/parameters.js';
import type { ProviderName } from '../protocol/providers.js';
import type { Identity, RunEvent } from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';
import { listCheckpoints } from '../trainer/checkpoint.js';
import { stateOf, type Transform } from '../trainer/optimizer.js';
import { objectiveOf, type StepShape } from '../trainer/step.js';
import { train, type StepReport } from '../trainer/trainer.js';
import { planStore, type StorePlan } from '../trainer/storePlan.js';
import { adamW, pullToAnchor } from '../trainer/transforms.js';
import { phase, warning, type Job } from './context.js';
import { downstreamTask, finite, headlines, type Evaluator, type Scores } from './evaluation.js';
import { measure } from './measurePhase.js';
import { chosenMethod } from './method.js';
import { createRate, now } from './progress.js';

export async function trainModel(
  job: Job,
  sources: readonly Source[],
  identity: Identity,
  evaluator: Evaluator,
  base: Scores,
) {
  const { config, device, model, store, run, signal, report } = job;
  const { training, mix, evaluation, seed } = config;
  const { architecture } = model;
  const { method, settings } = chosenMethod(config);
  const mixing = { mode: mix.mode, batchRows: training.batchRows };
  const plan = planEpoch(sources, mixing);
  const steps = stepCount(runLength(training), plan.steps);
  const rate = createRate((listCheckpoints(run.paths.checkpoints)[0] ?? 0) / steps);
  report(phase('training', 0, steps));
  return train({
    device,
    architecture,
    store,
    createMixer: (cursor) => {
      const mixer = createMixer({ sources, ...mixing, seed, cursor });
      // Only now: the log of a refused run stays readable for the version that made it.
      report({ type: 'run_identified', time: now(), ...identity });
      return mixer;
    },
    objective: objectiveOf(method, settings),
    shape: stepShape(config, architecture, Math.max(...sources.map(({ rows }) => rows.longest))),
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
    onStep: (step) => report(trainStep(step, sources, rate.note(step.tokens, step.step / steps))),
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
export function optimizerOf(config: RunConfig, { parameters }: Architecture): Transform[] {
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

/** Gives the store the weights that the method makes of the trained ones: they are what is kept. */
export async function editWeights({ config, model, store }: Job): Promise<void> {
  const { method, settings } = chosenMethod(config);
  if (method.edit === undefined) return;
  for await (const { name, data } of store.read('weight')) {
    const base = model.folder.tensors.read(name);
    await store.write('weight', name, method.edit(base, data, settings));
  }
}

function trainStep(
  step: StepReport,
  sources: readonly Source[],
  rate: { perSecond: number; secondsLeft: number },
): RunEvent {
  return {
    type: 'train_step',
    time: now(),
    step: step.step,
    loss: finite(step.loss),
    losses: Object.fromEntries(sources.map(({ id }) => [id, finite(step.losses[id])])),
    learningRate: step.learningRate,
    gradNorm: finite(step.norm),
    tokens: step.tokens,
    tokensPerSecond: finite(rate.perSecond),
    secondsLeft: finite(rate.secondsLeft),
    ...(step.skipped ? { skipped: true } : {}),
  };
}
