/**
 * A whole job, from the base model's folder to the fine-tuned one, for the terminal and for the
 * process that the editor starts. Every phase leaves its result in the run folder and is skipped when
 * it is there already, so a job can be killed at any moment and resumed.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError } from '../errors.js';
import type { Until } from '../protocol/engine.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { recordFormat, type RunEvent } from '../protocol/records.js';
import { writeReport } from '../runs/report.js';
import { openRunWriter, readEvents, type RunFolder } from '../runs/runFolder.js';
import { chooseProvider, openDevice } from '../runtime/index.js';
import { lastStep, listCheckpoints, newestCheckpoint, requireBase } from '../trainer/checkpoint.js';
import { createStore } from '../trainer/store.js';
import { createBaseModel } from './baseModel.js';
import { progress, warning, type Job } from './context.js';
import { requireMemory } from './estimate/fit.js';
import { identifySources, identifyTasks } from './identity.js';
import { removeLeftovers } from './leftovers.js';
import { chosenMethod } from './method.js';
import { openModel } from './model.js';
import { chooseWeights } from './phases/choose.js';
import { createJobEvaluator, measureBase, measureEnd } from './phases/measure.js';
import { runPhase } from './phases/phase.js';
import { prepare } from './phases/prepare.js';
import { save } from './phases/save.js';
import { storePlanOf, train } from './phases/train.js';
import { write } from './phases/write.js';
import { now } from './progress.js';
import { versions } from './versions.js';

export interface JobOptions {
  run: RunFolder;
  /** Resume from the last checkpoint. */
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
      report({
        type: 'run_failed',
        time: now(),
        step: lastStep(run.paths.checkpoints),
        error: errorRecord(error),
      });
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
  report(progress('loading', 0, 0));
  const model = openModel(config.model, config.generation.bos);
  const provider = await chooseProvider(config.provider, config.threads);
  const { checkpoints } = run.paths;
  const newest = await newestCheckpoint(checkpoints, (damaged) => report(warning(damaged)));
  report({
    type: 'run_started',
    time: now(),
    step: newest?.step ?? 0,
    provider: provider.name,
    versions: versions(),
    format: recordFormat,
  });
  const { id, token, reason } = model.bos;
  report({ type: 'bos_found', time: now(), id, token, reason });
  const device = await openDevice(provider);
  const { architecture, folder } = model;
  const plan = storePlanOf(config, architecture, provider.name);
  await requireMemory(plan);
  const store = await createStore(device, plan, (name) => folder.tensors.read(name));
  const base = createBaseModel(device, model, store);
  // Before anything is written that only belongs to another model.
  if (newest) requireBase(join(checkpoints, String(newest.step)), newest.base, base.hash);
  const job: Job = { ...start, config, device, model, store, base, timings };
  try {
    const stop = (step: number): void => report({ type: 'run_stopped', time: now(), step });
    const { rows, downstream } = await runPhase(job, prepare, undefined);
    const { chooseSources, klSamples } = await runPhase(job, write, rows);
    if (signal.aborted || until === 'samples') return stop(lastStep(run.paths.checkpoints));
    const evaluator = createJobEvaluator(job, klSamples, downstream);
    const tasks = identifyTasks(config.evaluation.tasks);
    const base = await runPhase(job, measureBase, evaluator);
    if (signal.aborted) return stop(lastStep(run.paths.checkpoints));
    const sources = chooseSources();
    const identity = { model: job.base.hash, sources: identifySources(sources), tasks };
    const { kind, state } = await runPhase(job, train, { sources, identity, evaluator, base });
    if (kind === 'stopped') return stop(state.step);

    const savedStep = await chooseWeights(job, state);
    const end = await runPhase(job, measureEnd, { evaluator, base, step: savedStep });
    await evaluator.release();
    timings.total = (performance.now() - began) / 1000;
    const { scores: final, kl } = end;
    const items = evaluator.items(base, final);
    await runPhase(job, save, { base, final, kl, state, savedStep, items });
    writeReport(run);
    // Last: from here on there is nothing to resume.
    report({ type: 'run_finished', time: now(), step: state.step });
  } finally {
    store.release();
  }
}

/** A run without samples cannot end at them. Throws `SAMPLES_NOT_WANTED`. */
export function requireSamples({
  config,
  folder,
}: Partial<RunFolder> & Pick<RunFolder, 'config'>): void {
  const { name, sources } = chosenMethod(config).method;
  if (sources.includes('context-free') || config.evaluation.klSamples > 0) return;
  throw new CfsError({
    code: 'SAMPLES_NOT_WANTED',
    message: `This run generates no samples: method ${name} uses none, and klSamples is 0.`,
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
