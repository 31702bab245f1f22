/**
 * The parts of a job that are of use by themselves: read samples, check a dataset, score a model,
 * look at the machine. They return data; whoever asked shows it.
 */
import { cpus, freemem, totalmem } from 'node:os';
import { attempt, attemptAsync, type CfsError } from '../errors.js';
import type { NamedTask } from '../evaluator/taskNames.js';
import { joinStores } from '../mixer/rowStore.js';
import type { DatasetReport } from '../protocol/datasetReport.js';
import type { Until } from '../protocol/engine.js';
import type { FindingRecord, MixPreview, RunEstimate } from '../protocol/preview.js';
import type { DoctorReport } from '../protocol/providers.js';
import type {
  BosToken,
  RunEvent,
  SetDiagnostics,
  SampleRecord,
  TaskScore,
} from '../protocol/records.js';
import { chooseProvider, fastest, openDevice, probeProviders } from '../runtime/index.js';
import type { RunConfig } from '../runs/configSchema.js';
import { openFrozen } from './baseModel.js';
import {
  addReports,
  datasetFolder,
  loadDownstream,
  loadRunRows,
  loadSources,
  scanSources,
  splitRows,
  wantedSamples,
  type CheckedRun,
} from './dataset.js';
import { createDecoders } from '../model/decoder.js';
import { requireFrozenFits, type FrozenRequest } from './estimate/fitting.js';
import { createEstimator } from './estimate/index.js';
import { createEvaluator, taskScore } from './evaluation.js';
import { findingRecord, type Finding } from './finding.js';
import { requireSamples } from './job.js';
import { previewRun, readSource } from './mixPreview.js';
import { inspectModel, openModel, requireFiniteWeights, type Model } from './model.js';
import { measuringWork } from './phases/measure.js';
import { createPreflight, requireSound } from './preflight.js';
import { now } from './progress.js';
import { describeSamples, judge, samplesWork, writeSamples } from './sampling.js';
import { createTaskChecks } from './taskChecks.js';
import { versions } from './versions.js';

export interface GenerateOptions {
  config: RunConfig;
  /** Samples to write; the configuration's budget when left out. */
  count?: number;
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
  onSample: (sample: SampleRecord) => void;
}

export interface GenerateData {
  bos: BosToken;
  diagnostics: SetDiagnostics;
}

export interface ValidateData {
  /** Read as text alone where the model cannot be opened. */
  dataset: DatasetReport;
  /** What is wrong besides the dataset, and what is worth knowing. */
  findings: FindingRecord[];
  /** The task files that can be read, with the names of their tasks in this run. */
  tasks: NamedTask[];
  /** The files with the base model's license, which are copied to the fine-tuned model. */
  licenses: string[];
  /** What would be trained on; absent when the dataset has no usable row, or cannot be mixed. */
  preview?: MixPreview | undefined;
  /** What the run would take; absent where preview, provider or a task is. */
  estimate?: RunEstimate;
  /** Absent where the model cannot be opened. */
  bos?: BosToken;
}

export interface EvaluateOptions {
  config: RunConfig;
  /** A model folder, scored on the configuration's tasks. */
  model: string;
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
}

export interface EvaluateData {
  tasks: TaskScore[];
  downstream?: TaskScore;
}

/** Writes context-free samples as a run would, keeping none; early when the signal is aborted. */
export async function generateCommand(options: GenerateOptions): Promise<GenerateData> {
  const { config, signal, onEvent } = options;
  const model = openModel(config.model, config.generation.bos);
  const bos = bosToken(model);
  onEvent({ type: 'bos_found', time: now(), ...bos });
  const count = options.count ?? (await plannedSamples(config, model));
  const { device, store } = await openWeights(config, model, ({ generation }) =>
    samplesWork(model, generation, count),
  );
  const samples: SampleRecord[] = [];
  const decoders = createDecoders(device, model.architecture);
  const how = {
    ...{ model, decoders },
    weights: store.weights,
    seed: config.seed,
    settings: config.generation,
    signal,
  };
  try {
    await writeSamples({
      ...how,
      count,
      done: new Set(),
      onEvent,
      onSample: (sample) => {
        samples.push(sample);
        options.onSample(sample);
      },
    });
    const verdict = await judge(how, samples);
    const diagnostics = { ...describeSamples(samples), verdict };
    return { bos, diagnostics };
  } finally {
    await decoders.release();
    store.release();
  }
}

/**
 * Checks everything that can be known before a run, draws what it would train on, and says what it
 * would take; all problems at once. `workspace` is where run folders are made.
 */
export async function validateCommand({
  config,
  workspace = datasetFolder(config),
}: {
  config: RunConfig;
  workspace?: string;
}): Promise<ValidateData> {
  const inspection = inspectModel(config.model, config.generation.bos);
  const { model } = inspection;
  const findings: Finding[] = [];
  const tellAt = (field: string) => (problem: CfsError) =>
    void findings.push({ severity: 'error', field, problem });
  const modelKey = config.model;

  const { dataset, rows: all } = model
    ? await readRows(config, model)
    : { dataset: await scanSources(config) };
  const split =
    all && all.count > 0
      ? attempt(() => splitRows(all, config), tellAt('evaluation.holdOut'))
      : undefined;
  const { downstream } = config.evaluation;
  const tests =
    model && downstream
      ? await attemptAsync(
          () => loadSources(downstream, config, model),
          tellAt('evaluation.downstream'),
        )
      : undefined;
  const rows = split?.trained;
  const checked = await createPreflight()({
    config,
    inspection,
    modelKey,
    rows,
    downstream: split?.heldOut ?? tests?.rows,
    place: { workspace },
    inThisProcess: true,
    thorough: true,
  });
  // A run finds this as it loads the weights, before anything else is done.
  if (model) attempt(() => requireFiniteWeights(model), tellAt('model'));
  const { provider, requests, licenses, fit } = checked;
  const tasks = checked.tasks.map(({ file, name, own }) => ({ file, name, own }));
  const data = {
    dataset,
    findings: [...findings, ...checked.findings].map(findingRecord),
    tasks,
    licenses,
    ...(model ? { bos: bosToken(model) } : {}),
  };
  // What stands in the way of a mix is among the findings already.
  const preview =
    model &&
    rows &&
    attempt(
      () => previewRun(config, model, rows, dataset),
      () => undefined,
    );
  if (!preview || !provider || !fit || requests.length < config.evaluation.tasks.length) {
    return { ...data, preview };
  }
  const estimate = await createEstimator().estimate(fit, model, provider);
  return { ...data, preview, estimate };
}

/**
 * Looks at everything a run would look at before its first sample, so that a run that is refused
 * leaves no folder. Returns what it has read and found, for the run. Throws the first error.
 */
export async function checkRunCommand({
  config,
  workspace,
  until,
}: {
  config: RunConfig;
  workspace: string;
  until: Until;
}): Promise<CheckedRun> {
  if (until === 'samples') requireSamples({ config });
  const model = openModel(config.model, config.generation.bos);
  const rows = await loadRunRows(config, model);
  const facts = { config, model, rows: rows.trained, downstream: rows.downstream };
  return { ...rows, warnings: await requireSound({ ...facts, place: { workspace } }) };
}

/** Scores a model folder on all items of the configuration's tasks. */
export async function evaluateCommand(options: EvaluateOptions): Promise<EvaluateData> {
  const { config, onEvent } = options;
  const model = openModel(options.model, config.generation.bos);
  const { tasks: taskFiles, subset } = config.evaluation;
  const downstream = await loadDownstream(config, model);
  const { requests } = await createTaskChecks()({
    ...{ config, model, modelKey: options.model },
    thorough: false,
  });
  const { device, store } = await openWeights(config, model, () => {
    const scored = { ...config, evaluation: { ...config.evaluation, klSamples: 0 } };
    const rows = downstream ?? joinStores([]);
    return measuringWork({ config: scored, model, downstream: rows, tasks: requests }, 'full');
  });
  try {
    const evaluator = createEvaluator({
      device,
      model,
      decoders: createDecoders(device, model.architecture),
      taskFiles,
      downstream,
      klSamples: [],
      subset,
      seed: config.seed,
    });
    const scores = await evaluator.score(store.weights, 'full', (progress, total) =>
      onEvent({ type: 'phase', time: now(), phase: 'evaluating', progress, total }),
    );
    await evaluator.release();
    return {
      tasks: scores.tasks.map((result) => taskScore(result, undefined)),
      ...(scores.downstream ? { downstream: taskScore(scores.downstream, undefined) } : {}),
    };
  } finally {
    store.release();
  }
}

/** What works on this machine. */
export async function doctorCommand(): Promise<DoctorReport> {
  const providers = await probeProviders();
  const chosen = fastest(providers);
  const processors = cpus();
  return {
    versions: versions(),
    system: {
      platform: `${process.platform}-${process.arch}`,
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memory: totalmem(),
      freeMemory: freemem(),
    },
    providers: providers.map((result) => ({ ...result, chosen: result.name === chosen })),
  };
}

function bosToken({ bos: { id, token, reason } }: Model): BosToken {
  return { id, token, reason };
}

/** All usable rows of the dataset, with the report of everything wrong with it. */
async function readRows(config: RunConfig, model: Model) {
  const read = [];
  for (const source of config.dataset) read.push(await readSource(source, config, model));
  return {
    dataset: addReports(read.map(({ report }) => report)),
    rows: joinStores(read.map(({ rows }) => rows)),
  };
}

/** The weights of `model` for `work` that only reads them. Throws `MEMORY_SHORT` where it will not fit. */
async function openWeights(config: RunConfig, model: Model, work: FrozenRequest['work']) {
  const provider = await chooseProvider(config.provider, config.threads);
  await requireFrozenFits({ config, model, provider, work });
  const device = await openDevice(provider);
  return { device, store: await openFrozen(device, model) };
}

async function plannedSamples(config: RunConfig, model: Model): Promise<number> {
  if (config.generation.count !== undefined) return config.generation.count;
  const { rows } = await loadSources(config.dataset, config, model);
  return wantedSamples(config, splitRows(rows, config).trained.count);
}
