/**
 * A whole job, from the base model's folder to the fine-tuned one, for the terminal and for the
 * process that the editor starts. Every phase leaves its result in the run folder and is skipped when
 * it is there already, so a job can be killed at any moment and resumed.
 */
import { rmSync } from 'node:fs';
import { totalmem } from 'node:os';
import { CfsError } from '../errors.js';
import { requireValid } from '../mixer/dataset.js';
import type { Until } from '../protocol/engine.js';
import { recordFormat, type Phase, type RunEvent } from '../protocol/records.js';
import { chooseProvider, openDevice } from '../runtime/index.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { formatBytes } from '../protocol/format.js';
import { writeReport } from '../runs/report.js';
import { openRunWriter, readEvents, type RunFolder } from '../runs/runFolder.js';
import {
  listCheckpoints,
  loadCheckpoint,
  newestCheckpoint,
  type TrainingState,
} from '../trainer/checkpoint.js';
import { createStore } from '../trainer/store.js';
import { storeBytes, type StorePlan } from '../trainer/storePlan.js';
import { createBaseModel } from './baseModel.js';
import { phase, warning, type Job } from './context.js';
import { loadDownstream, loadSources, splitRows } from './dataset.js';
import { identifySources, identifyTasks } from './identity.js';
import { removeLeftovers } from './leftovers.js';
import { createJobEvaluator, measure, scoreBase } from './measurePhase.js';
import { chosenMethod } from './method.js';
import { openModel } from './model.js';
import { now } from './progress.js';
import { saveResults } from './results.js';
import { describeChosen, prepareKlSamples } from './samplePhase.js';
import { prepareSources } from './sources/index.js';
import { editWeights, storePlanOf, trainModel } from './trainPhase.js';
import { versions } from './versions.js';

export interface JobOptions {
  run: RunFolder;
  /** Go on from the last checkpoint. */
  resume: boolean;
  /** `samples`: ends, resumably, before anything is measured or trained. */
  until: Until;
  /** When it is aborted, the job writes a checkpoint, reports `run_stopped` and returns. */
  signal: AbortSignal;
  /** Called after the event is on disk. */
  onEvent: (event: RunEvent) => void;
}

/** Throws the `CfsError` that ended the job, after reporting `run_failed`. */
export async function runJob(options: JobOptions): Promise<void> {
  const { run, resume, until, signal, onEvent } = options;
  if (until === 'samples') requireSamples(run);
  const writer = openRunWriter(run);
  const report = (event: RunEvent): void => {
    writer.appendEvent(event);
    onEvent(event);
  };
  try {
    // Outside of what is reported: a refused start is no part of the run's history.
    if (!resume) refuseOldCheckpoints(run);
    removeLeftovers(run);
    await reportFailure(run, report, () => runPhases({ run, writer, signal, report }, until));
  } finally {
    writer.close();
  }
}

async function reportFailure(
  run: RunFolder,
  report: Job['report'],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    try {
      report({ type: 'run_failed', time: now(), step: lastStep(run), error: errorRecord(error) });
    } catch (second) {
      // A full disk takes no report either; what ended the job is what the user must hear of.
      if (!(second instanceof CfsError)) throw second;
    }
    throw error;
  }
}

async function runPhases(
  start: Pick<Job, 'run' | 'writer' | 'signal' | 'report'>,
  until: Until,
): Promise<void> {
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
    step:
      (await newestCheckpoint(run.paths.checkpoints, (damaged) => report(warning(damaged)))) ?? 0,
    provider: provider.name,
    versions: versions(),
    format: recordFormat,
  });
  const { id, token, reason } = model.bos;
  report({ type: 'bos_found', time: now(), id, token, reason });
  const device = await openDevice(provider);
  const { architecture, folder } = model;
  const plan = storePlanOf(config, architecture, provider.name);
  requireMemory(plan);
  const store = await createStore(device, plan, (name) => folder.tensors.read(name));
  const base = createBaseModel(device, model, store);
  const job: Job = { ...start, config, device, model, store, base, timings };
  try {
    const stop = (step: number): void => report({ type: 'run_stopped', time: now(), step });
    const dataset = await timed(job, 'preparing', () => prepareDataset(job));
    const [chooseSources, klSamples] = await timed(job, 'generating', async () => [
      await prepareSources(job, dataset.rows),
      await prepareKlSamples(job),
    ]);
    if (signal.aborted || until === 'samples') return stop(lastStep(run));
    const evaluator = createJobEvaluator(job, klSamples, dataset.downstream);
    const tasks = identifyTasks(config.evaluation.tasks);
    const baseScores = await timed(job, 'evaluating', () => scoreBase(job, evaluator));
    if (signal.aborted) return stop(lastStep(run));
    const sources = chooseSources();
    const identity = { model: base.hash, sources: identifySources(sources), tasks };
    const end = await timed(job, 'training', () =>
      trainModel(job, sources, identity, evaluator, baseScores),
    );
    if (end.kind === 'stopped') return stop(end.state.step);

    const savedStep = await restoreBest(job, end.state);
    await editWeights(job);
    const final = await timed(job, 'evaluating', () =>
      measure(job, evaluator, baseScores, config.evaluation.full ? 'full' : 'subset', savedStep),
    );
    await evaluator.release();
    report(phase('saving', 0, 1));
    timings.total = (performance.now() - began) / 1000;
    await saveResults({
      ...job,
      base: baseScores,
      final: final.scores,
      kl: final.kl,
      state: end.state,
      savedStep,
      samples: describeChosen(run),
      items: evaluator.items(baseScores, final.scores),
    });
    writeReport(run);
    // Last: from here on there is nothing to resume.
    report({ type: 'run_finished', time: now(), step: end.state.step });
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
    const counts = Object.entries(found.counts).map(([code, count]) => `${count} × ${code}`);
    report(
      warning({
        code: 'DATASET_WARNINGS',
        message: `Rows left out: ${found.rows - found.kept}; rows cut: ${found.truncated} (${counts.join(', ')}).`,
        remedy: 'Run `cfs-studio validate` to see them by line.',
      }),
    );
  }
  const { trained, heldOut } = splitRows(rows, config);
  return { rows: trained, downstream: heldOut ?? (await loadDownstream(config, model)) };
}

/** Loads the best checkpoint where one was asked for; the step whose weights the store then holds. */
async function restoreBest(job: Job, state: TrainingState): Promise<number> {
  const { config, run, store, base, report } = job;
  const { best } = state;
  if (config.evaluation.bestBy === 'last' || !best || best.step === state.step) return state.step;
  try {
    await loadCheckpoint(run.paths.checkpoints, best.step, store, base.hash);
    return best.step;
  } catch (error) {
    // The store still holds the last weights: they are saved rather than none.
    if (!(error instanceof CfsError) || error.code !== 'CHECKPOINT_DAMAGED') throw error;
    report(warning(error));
    return state.step;
  }
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

/** The last step that the log knows of. */
function lastStep(run: RunFolder): number {
  return listCheckpoints(run.paths.checkpoints)[0] ?? 0;
}

/** A run without samples cannot end at them. */
function requireSamples({ config, folder }: RunFolder): void {
  const { name, sources } = chosenMethod(config).method;
  if (sources.includes('context-free') || config.evaluation.klSamples > 0) return;
  throw new CfsError({
    code: 'SAMPLES_NOT_WANTED',
    message: `This run writes no samples: method ${name} mixes none in, and klSamples is 0.`,
    remedy: 'Run it to the end, or choose method cfs.',
    place: { file: folder, field: 'method' },
  });
}

/** A new start must not pick up another run's checkpoints. */
function refuseOldCheckpoints(run: RunFolder): void {
  if (listCheckpoints(run.paths.checkpoints).length === 0 && readEvents(run).length === 0) {
    rmSync(run.paths.base, { force: true });
    return;
  }
  throw new CfsError({
    code: 'RUN_BEGUN',
    message: 'This run has already started.',
    remedy: `Resume it with \`cfs-studio resume ${run.id}\`.`,
    place: { file: run.folder },
  });
}

/** What the store keeps has to fit into the machine at least; more than it has cannot work. */
function requireMemory(plan: StorePlan): void {
  const needed = storeBytes(plan);
  if (plan.place !== 'host' || needed < totalmem()) return;
  throw new CfsError({
    code: 'MEMORY_SHORT',
    message: `Training this model takes at least ${formatBytes(needed)}, and this machine has ${formatBytes(totalmem())}.`,
    remedy: 'Choose a smaller base model.',
    place: { field: 'model' },
  });
}
