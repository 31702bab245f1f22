/**
 * A whole job, from the base model's folder to the fine-tuned one, for the terminal and for the
 * process that the editor starts. Every phase leaves its result in the run folder and is skipped when
 * it is there already, so a job can be killed at any moment and resumed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { CfsError, defined } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { sampleCount } from '../generator/budget.js';
import { createMixer, planEpoch } from '../mixer/mixer.js';
import { requireValid } from '../mixer/dataset.js';
import type { RowStore } from '../mixer/rowStore.js';
import type { Phase, RunEvent, SampleRecord } from '../protocol/records.js';
import { chooseProvider, openDevice, type Device } from '../runtime/index.js';
import type { RunConfig } from '../runs/configSchema.js';
import { errorRecord } from '../runs/errorRecord.js';
import { writeReport } from '../runs/report.js';
import {
  openRunWriter,
  readEvents,
  readHeldOutSamples,
  readSamples,
  type RunFolder,
  type RunWriter,
} from '../runs/runFolder.js';
import { listCheckpoints, loadCheckpoint, type TrainingState } from '../trainer/checkpoint.js';
import { objectives } from '../trainer/objective.js';
import { createStore, type ParameterStore } from '../trainer/parameterStore.js';
import { train, type StepReport } from '../trainer/trainer.js';
import { loadSources, maxRowLength, sampleRows } from './dataset.js';
import {
  compareScores,
  createEvaluator,
  allResults,
  downstreamTask,
  finite,
  headlines,
  scoresSchema,
  taskScore,
  type Evaluator,
  type Extent,
  type Scores,
} from './evaluation.js';
import { openModel, type Model } from './model.js';
import { createRate, now } from './progress.js';
import { saveResults } from './results.js';
import { describeSamples, writeSamples } from './sampling.js';
import { versions } from './versions.js';

export interface JobOptions {
  run: RunFolder;
  /** Go on from the last checkpoint. */
  resume: boolean;
  /** When it is aborted, the job writes a checkpoint, reports `run_stopped` and returns. */
  signal: AbortSignal;
  /** Called after the event is on disk. */
  onEvent: (event: RunEvent) => void;
}

/** All that the phases of a job share. */
interface Job {
  run: RunFolder;
  config: RunConfig;
  writer: RunWriter;
  signal: AbortSignal;
  report(event: RunEvent): void;
  device: Device;
  model: Model;
  store: ParameterStore;
  /** Seconds spent, by phase. */
  timings: Record<string, number>;
}

/** Throws the `CfsError` that ended the job, after reporting `run_failed`. */
export async function runJob({ run, resume, signal, onEvent }: JobOptions): Promise<void> {
  const writer = openRunWriter(run);
  const report = (event: RunEvent): void => {
    writer.appendEvent(event);
    onEvent(event);
  };
  try {
    if (!resume) refuseOldCheckpoints(run);
    await runPhases({ run, writer, signal, report });
  } catch (error) {
    report({ type: 'run_failed', time: now(), step: lastStep(run), error: errorRecord(error) });
    throw error;
  } finally {
    writer.close();
  }
}

async function runPhases(start: Pick<Job, 'run' | 'writer' | 'signal' | 'report'>): Promise<void> {
  const { run, report, signal } = start;
  const { config } = run;
  const began = performance.now();
  const timings: Job['timings'] = {};
  report(phase('loading', 0, 0));
  const model = openModel(config.model, config.generation.bos);
  const provider = await chooseProvider(config.provider, config.threads);
  report({
    type: 'run_started',
    time: now(),
    step: listCheckpoints(run.paths.checkpoints)[0] ?? 0,
    provider: provider.name,
    versions: versions(),
  });
  const { id, token, reason } = model.bos;
  report({ type: 'bos_found', time: now(), id, token, reason });
  const device = await openDevice(provider);
  const { architecture, folder } = model;
  requireMemory(architecture.parameters, provider.name);
  const store = await createStore(device, architecture.parameters, (name) =>
    folder.tensors.read(name),
  );
  const job: Job = { ...start, config, device, model, store, timings };
  try {
    const stop = (step: number): void => report({ type: 'run_stopped', time: now(), step });
    const dataset = await timed(job, 'preparing', () => prepareDataset(job));
    const samples = await timed(job, 'generating', () => prepareSamples(job, dataset.rows.count));
    if (signal.aborted) return stop(lastStep(run));
    const evaluator = createJobEvaluator(job, samples.heldOut, dataset.downstream);
    const base = await timed(job, 'evaluating', () => scoreBase(job, evaluator));
    if (signal.aborted) return stop(lastStep(run));
    const cfs =
      samples.trained.length > 0
        ? sampleRows(samples.trained, maxRowLength(config, model))
        : undefined;
    const end = await timed(job, 'training', () =>
      trainModel(job, dataset.rows, cfs, evaluator, base),
    );
    if (end.kind === 'stopped') return stop(end.state.step);

    const savedStep = await restoreBest(job, end.state);
    const final = await timed(job, 'evaluating', () =>
      measure(job, evaluator, base, config.evaluation.full ? 'full' : 'subset', end.state.step),
    );
    await evaluator.release();
    report(phase('saving', 0, 1));
    timings.total = (performance.now() - began) / 1000;
    await saveResults({
      ...job,
      base,
      final: final.scores,
      kl: final.kl,
      state: end.state,
      savedStep,
      samples: samples.trained.length > 0 ? describeSamples(samples.trained) : undefined,
    });
    report({ type: 'run_finished', time: now(), step: end.state.step });
    writeReport(run);
  } finally {
    store.release();
  }
}

/** Dataset and held-out rows; refuses a dataset with errors. */
async function prepareDataset({ config, model, report }: Job) {
  report(phase('preparing', 0, 0));
  const { rows, report: found } = await loadSources(config.dataset, config, model);
  requireValid(found);
  if (found.warnings > 0) {
    report({
      type: 'warning',
      time: now(),
      code: 'DATASET_WARNINGS',
      message: `${found.rows - found.kept} rows are left out and ${found.truncated} are cut: ${Object.entries(
        found.counts,
      )
        .map(([code, count]) => `${count} × ${code}`)
        .join(', ')}.`,
      remedy: 'Run «cfs-studio validate» to see them by line.',
    });
  }
  const { downstream: sources } = config.evaluation;
  const downstream = sources && (await loadSources(sources, config, model)).rows;
  return { rows, downstream };
}

/** The samples that are trained on (none for methods without) and those held out for KL. */
async function prepareSamples(job: Job, datasetRows: number) {
  const { config, run, writer, store } = job;
  const { generation, method, seed, evaluation } = config;
  const budget =
    generation.count === undefined ? { fraction: generation.budget } : { count: generation.count };
  const trained = await completeSamples(
    job,
    [...readSamples(run)],
    method === 'sft' ? 0 : sampleCount(budget, datasetRows),
    { seed, settings: generation, weights: store.weights },
    (sample) => writer.appendSamples([sample]),
  );
  // KL(base ‖ model) is an expectation under the base model itself: no temperature, no truncation.
  const plain = {
    ...generation,
    temperature: 1,
    topK: undefined,
    topP: undefined,
    stopAtEos: true,
  };
  const heldOut = await completeSamples(
    job,
    [...readHeldOutSamples(run)],
    evaluation.klSamples,
    { seed: (seed ^ 0x5eed) >>> 0, settings: plain, weights: store.weights },
    (sample) => writer.appendHeldOutSamples([sample]),
  );
  return { trained, heldOut };
}

async function completeSamples(
  job: Job,
  samples: SampleRecord[],
  count: number,
  how: { seed: number; settings: RunConfig['generation']; weights: ParameterStore['weights'] },
  keep: (sample: SampleRecord) => void,
): Promise<SampleRecord[]> {
  if (samples.length < count) {
    const { device, model, signal, report } = job;
    report(phase('generating', samples.length, count));
    await writeSamples({
      ...how,
      device,
      model,
      count,
      done: new Set(samples.map(({ index }) => index)),
      signal,
      onEvent: report,
      onSample: (sample) => {
        keep(sample);
        samples.push(sample);
      },
    });
  }
  // They come as they are completed; training must not depend on that.
  return samples.sort((a, b) => a.index - b.index);
}

function createJobEvaluator(
  { config, device, model, store }: Job,
  klSamples: SampleRecord[],
  downstream: RowStore | undefined,
): Evaluator {
  const { tasks: taskFiles, subset } = config.evaluation;
  const { weights } = store;
  const { seed } = config;
  return createEvaluator({
    device,
    model,
    weights,
    taskFiles,
    downstream,
    klSamples,
    subset,
    seed,
  });
}

/** The base model's scores, from the run folder where they are there already. */
async function scoreBase(job: Job, evaluator: Evaluator): Promise<Scores> {
  const { run, config } = job;
  if (existsSync(run.paths.base)) {
    return scoresSchema.parse(JSON.parse(readFileSync(run.paths.base, 'utf8'))) as Scores;
  }
  const extent = config.evaluation.full ? 'full' : 'subset';
  const { scores } = await measure(job, evaluator, undefined, extent, 0);
  writeFileAtomic(run.paths.base, `${JSON.stringify(scores)}\n`);
  return scores;
}

/** Scores and KL of the current weights, reported as an `evaluation` event. */
async function measure(
  { config, report }: Job,
  evaluator: Evaluator,
  base: Scores | undefined,
  extent: Extent,
  step: number,
) {
  const scores = await evaluator.score(extent, (done, total) =>
    report(phase('evaluating', done, total)),
  );
  const kl = await evaluator.kl();
  const comparisons = compareScores(base ?? scores, scores, config.seed);
  const all = allResults(scores).map((result) => {
    const { task, metric, filter } = result;
    const comparison = comparisons.find(
      (one) => one.task === task && one.metric === metric && one.filter === filter,
    );
    return taskScore(result, comparison);
  });
  report({
    type: 'evaluation',
    time: now(),
    step,
    kind: extent,
    tasks: all.filter(({ task }) => task !== downstreamTask),
    downstream: all.find(({ task }) => task === downstreamTask),
    kl: kl && {
      mean: finite(kl.perSequence),
      stderr: finite(kl.perSequenceStderr),
      samples: kl.samples,
    },
  });
  return { scores, kl, comparisons };
}

async function trainModel(
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
  const steps = training.steps ?? Math.max(1, Math.round(training.epochs * plan.steps));
  const longest = Math.max(dataset.longest, cfs?.longest ?? 0);
  const time = Math.min(Math.ceil(longest / 16) * 16, architecture.contextLength);
  const rate = createRate((listCheckpoints(run.paths.checkpoints)[0] ?? 0) / steps);
  report(phase('training', 0, steps));
  return train({
    device,
    architecture,
    store,
    createMixer: (cursor) => createMixer({ dataset, cfs, ...settings, seed, cursor }),
    objective: defined(objectives[method], `objective ${method}`)({ lambda }),
    shape: {
      time,
      maxTokens: Math.max(training.maxTokensPerMicroBatch, time),
      lossChunks: training.lossChunks,
    },
    adamW: { ...training, decayVectors: false },
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
    onWarning: ({ code, message, remedy }) =>
      report({ type: 'warning', time: now(), code, message, remedy }),
  });
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

/** Loads the best checkpoint where one was asked for; the step whose weights the store then holds. */
async function restoreBest({ config, run, store }: Job, state: TrainingState): Promise<number> {
  const { best } = state;
  if (config.evaluation.bestBy === 'last' || !best || best.step === state.step) return state.step;
  await loadCheckpoint(run.paths.checkpoints, best.step, store);
  return best.step;
}

async function timed<T>(job: Job, name: Phase, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    const seconds = (performance.now() - started) / 1000;
    job.timings[name] = (job.timings[name] ?? 0) + seconds;
  }
}

function phase(name: Phase, progress: number, total: number): RunEvent {
  return { type: 'phase', time: now(), phase: name, progress, total };
}

/** The last step that the log knows of. */
function lastStep(run: RunFolder): number {
  return listCheckpoints(run.paths.checkpoints)[0] ?? 0;
}

/** A new start must not pick up another run's checkpoints. */
function refuseOldCheckpoints(run: RunFolder): void {
  if (listCheckpoints(run.paths.checkpoints).length === 0 && readEvents(run).length === 0) {
    rmSync(run.paths.base, { force: true });
    return;
  }
  throw new CfsError({
    code: 'RUN_BEGUN',
    message: 'This run has been begun already.',
    remedy: `Go on with it: cfs-studio resume ${run.id}`,
    place: { file: run.folder },
  });
}

/** Weights, gradients and two moments are held at least; more than the machine has cannot work. */
function requireMemory(parameters: { shape: number[] }[], provider: string): void {
  if (provider !== 'cpu') return;
  const count = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const needed = count * 4 * 4;
  if (needed < totalmem()) return;
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`;
  throw new CfsError({
    code: 'MEMORY_SHORT',
    message: `Training ${(count / 1e9).toFixed(2)} B parameters takes at least ${gigabytes(needed)}, and this machine (${cpus().length} cores) has ${gigabytes(totalmem())}.`,
    remedy: 'Choose a smaller base model.',
    place: { field: 'model' },
  });
}
