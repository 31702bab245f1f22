/**
 * A whole job, from the base model's folder to the fine-tuned one, for the terminal and for the
 * process that the editor starts. Every phase leaves its result in the run folder and is skipped when
 * it is there already, so a job can be killed at any moment and resumed.
 */
import { rmSync } from 'node:fs';
import { allocatorFacts } from '../allocator.js';
import { CfsError } from '../errors.js';
import type { Until } from '../protocol/engine.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { eventsOf } from '../protocol/history.js';
import { recordFormat, type RunEvent } from '../protocol/records.js';
import { writeReport } from '../runs/report.js';
import { whenChanged } from '../runs/fieldRules.js';
import { openIdentity, type SettingChange } from '../runs/identity.js';
import type { RunConfig } from '../runs/configSchema.js';
import { readEvents, readSamples, type RunFolder } from '../runs/runFolder.js';
import { openRunWriter } from '../runs/runWriter.js';
import { chooseProvider, openDevice } from '../runtime/index.js';
import {
  findCheckpoint,
  lastStep,
  listCheckpoints,
  putAside,
  type DamagedCheckpoint,
} from '../trainer/checkpoint.js';
import { createStore } from '../trainer/store.js';
import type { StorePlan } from '../trainer/storePlan.js';
import { createDecoders } from '../model/decoder.js';
import { createBaseModel } from './baseModel.js';
import { note, progress, warning, type Job, type Preparation } from './context.js';
import type { CheckedRun } from './dataset.js';
import { requireStore } from './estimate/fit.js';
import { findData, refuseSettings, rowGroups } from './identity/found.js';
import {
  fileInput,
  hashInputs,
  rowsInput,
  samplesInput,
  type FileInputs,
} from './identity/inputs.js';
import { removeLeftovers } from './leftovers.js';
import { chosenMethod } from './method.js';
import { openModel } from './model.js';
import { chooseWeights } from './phases/choose.js';
import { createJobEvaluator, measureBase, measureEnd } from './phases/measure.js';
import { prepare, type Prepared } from './phases/prepare.js';
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
  /** Reads the files of model and tasks again to compare them, whatever is known of their hashes. */
  verify?: boolean;
  /** What `checkRunCommand` has just read and found for this run, so that it is not done twice. */
  checked?: CheckedRun | undefined;
  /** When it is aborted, the job writes a checkpoint, reports `run_stopped` and returns. */
  signal: AbortSignal;
  /** Called after the event is on disk. */
  onEvent: (event: RunEvent) => void;
}

/** Throws the `CfsError` that ended the job, after reporting `run_failed`. */
export async function runJob(options: JobOptions): Promise<void> {
  const { run, resume, until, verify = false, checked, signal, onEvent } = options;
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
    await reportFailure(run, report, () =>
      runPhases({ run, writer, checked, signal, report }, until, verify),
    );
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
  start: Pick<Job, 'run' | 'writer' | 'checked' | 'signal' | 'report'>,
  until: Until,
  verify: boolean,
): Promise<void> {
  const { run, report } = start;
  const { config } = run;
  report(progress('loading', 0, 0));
  const { takenOver, killed } = start.writer;
  if (takenOver) report(warning(takenOver));
  if (killed) report(warning(killed));
  const model = openModel(config.model, config.generation.bos);
  const files = hashInputs(model, config.evaluation.tasks, { verify });
  try {
    const provider = await chooseProvider(config.provider, config.threads);
    const { step = 0, damaged } = await findCheckpoint(run.paths.checkpoints);
    const identity = openIdentity(run, { isNew: !hasBegun(run) });
    const { madeWith } = identity;
    // Sooner than by what a run with other settings would compute.
    if (madeWith) {
      const more = fewerSteps(config, step);
      await refuseSettings(run, identity, { madeWith, model, files, more });
    }
    report({
      type: 'run_started',
      time: now(),
      step,
      provider: provider.name,
      versions: versions(),
      format: recordFormat,
      allocator: allocatorFacts(),
    });
    const { id, token, reason } = model.bos;
    report({ type: 'bos_found', time: now(), id, token, reason });
    const device = await openDevice(provider);
    const plan = storePlanOf(config, model.architecture, provider.name);
    await requireStore(plan);
    const preparation = { ...start, config, device, model, identity };
    const loading = loadBase(preparation, plan);
    try {
      const prepared = await prepare.run(preparation);
      report(progress('starting', 0, 0));
      const store = await loading.store;
      const base = createBaseModel(device, model, store);
      const decoders = createDecoders(device, model.architecture);
      const job = { ...preparation, store, base, decoders };
      await runOn(job, prepared, { files, until, step, damaged });
    } finally {
      await loading.release();
    }
  } finally {
    files.stop();
  }
}

/** Reads the weights of the base model beside the work that does not need them. */
function loadBase({ device, model }: Preparation, plan: StorePlan) {
  const { tensors } = model.folder;
  const reading = new AbortController();
  const store = createStore(device, plan, async (name, values) => {
    reading.signal.throwIfAborted();
    await tensors.readInto(name, values);
  });
  // Whoever waits for it hears of a failure; until then it is nobody's.
  store.catch(() => undefined);
  return {
    store,
    release: async () => {
      reading.abort();
      await store.then(
        (made) => made.release(),
        () => undefined,
      );
    },
  };
}

interface Resumption {
  files: FileInputs;
  until: Until;
  /** Steps taken. */
  step: number;
  /** Checkpoints of later steps, which cannot be used. */
  damaged: readonly DamagedCheckpoint[];
}

/** From the data to the saved model. Whatever the run uses is settled before it is used. */
async function runOn(
  job: Job,
  { rows, downstream }: Prepared,
  { files, until, step, damaged }: Resumption,
): Promise<void> {
  const { run, config, writer, identity, report, signal } = job;
  const stop = (): void =>
    report({ type: 'run_stopped', time: now(), step: lastStep(run.paths.checkpoints) });

  const groups = rowGroups(config, { trained: rows, downstream });
  const { first, later } = await findData(run, identity, groups, files);
  identity.compare([...first, ...later], fewerSteps(config, step));
  // Only now may anything change that was there before.
  identity.settle(first);
  putAside(run.paths.checkpoints, damaged);
  for (const { problem } of damaged) report(warning(problem));
  if (identity.changedSettings.length > 0) report(settingsChanged(identity.changedSettings));

  const { chooseSources, klSamples } = await write.run(job, rows);
  if (signal.aborted) return stop();
  // What is noted of the samples must not outlive them.
  writer.flush();
  const { samples, klSamples: klFile, base: baseFile } = run.paths;
  identity.settle([
    { group: 'samples', inputs: samplesInput('samples', readSamples(run), samples) },
  ]);
  if (until === 'samples') return stop();

  // From here on the settings of training and measuring are settled too.
  identity.settle([
    { group: 'tasks', inputs: (await files.inputs).tasks },
    { group: 'KL samples', inputs: samplesInput('KL samples', klSamples, klFile) },
  ]);
  const evaluator = createJobEvaluator(job, klSamples, downstream);
  const base = await measureBase.run(job, evaluator);
  if (signal.aborted) return stop();
  const sources = chooseSources();
  identity.settle([
    { group: 'sources', inputs: sources.map(({ id, rows }) => rowsInput(id, rows)) },
    { group: 'base scores', inputs: [fileInput('base scores', baseFile)] },
  ]);
  const { kind, state } = await train.run(job, { sources, evaluator, base });
  if (kind === 'stopped') return stop();

  const savedStep = await chooseWeights(job, state);
  const end = await measureEnd.run(job, { evaluator, base, step: savedStep });
  await evaluator.release();
  const { scores: final, kl } = end;
  const items = evaluator.items(base, final);
  await save.run(job, { base, final, kl, state, savedStep, items });
  for (const problem of writeReport(run).problems) report(warning(problem));
  // Last: from here on there is nothing to resume.
  report({ type: 'run_finished', time: now(), step: state.step });
}

/** Whether this version has started it; runs of earlier ones did not say what they were made from. */
function hasBegun(run: RunFolder): boolean {
  // Those of earlier versions have been refused by now.
  if (listCheckpoints(run.paths.checkpoints).length > 0) return true;
  return eventsOf(readEvents(run), 'run_started').some(({ format }) => format === recordFormat);
}

/** In words, where a run was asked for fewer steps than it has taken. */
function fewerSteps({ training: { steps = Infinity } }: RunConfig, taken: number): string[] {
  if (taken <= steps) return [];
  return [`training.steps is now ${steps}, but the run has already taken ${taken} steps`];
}

function settingsChanged(changes: readonly SettingChange[]): RunEvent {
  const effects = new Set(changes.flatMap(({ field }) => whenChanged(field) ?? []));
  const list = changes.map(({ inWords }) => inWords).join('; ');
  return note({
    code: 'SETTINGS_CHANGED',
    message: `This run is resumed with other settings. ${list}.`,
    remedy: ['Nothing needs to be done: these may change while a run is stopped.', ...effects].join(
      ' ',
    ),
  });
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
