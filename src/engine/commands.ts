/**
 * The parts of a job that are of use by themselves: read samples, check a dataset, score a model,
 * look at the machine. They return data; whoever asked shows it.
 */
import { cpus, freemem, totalmem } from 'node:os';
import { joinStores } from '../mixer/rowStore.js';
import type { DatasetReport } from '../protocol/datasetReport.js';
import type { MixPreview, RunEstimate } from '../protocol/preview.js';
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
import { addReports, loadDownstream, loadSources, splitRows, wantedSamples } from './dataset.js';
import { createEstimator } from './estimate/index.js';
import { createEvaluator, taskScore } from './evaluation.js';
import { previewRun, readSource } from './mixPreview.js';
import { openModel, type Model } from './model.js';
import { now } from './progress.js';
import { describeSamples, judge, writeSamples } from './sampling.js';
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
  dataset: DatasetReport;
  /** What would be trained on; absent when the dataset has no usable row. */
  preview?: MixPreview;
  /** What the run would take; absent with the preview. */
  estimate?: RunEstimate;
  bos: BosToken;
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
  const { model, device, store } = await openWeights(config, config.model);
  const { id, token, reason } = model.bos;
  onEvent({ type: 'bos_found', time: now(), id, token, reason });
  const count = options.count ?? (await plannedSamples(config, model));
  const samples: SampleRecord[] = [];
  const how = {
    device,
    model,
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
    return { bos: { id, token, reason }, diagnostics };
  } finally {
    store.release();
  }
}

/**
 * Checks the dataset as a run would read it, draws what it would train on, and says what it would
 * take. `workspace` is where run folders are made.
 */
export async function validateCommand({
  config,
  workspace,
}: {
  config: RunConfig;
  workspace?: string;
}): Promise<ValidateData> {
  const model = openModel(config.model, config.generation.bos);
  const { id, token, reason } = model.bos;
  const bos = { id, token, reason };
  const read = [];
  for (const source of config.dataset) read.push(await readSource(source, config, model));
  const dataset = addReports(read.map(({ report }) => report));
  if (dataset.kept === 0) return { dataset, bos };
  const rows = splitRows(joinStores(read.map(({ rows }) => rows)), config).trained;
  const preview = previewRun(config, model, rows, dataset);
  const estimate = await createEstimator().estimate({
    config,
    model,
    modelKey: config.model,
    rows,
    downstream: (await loadDownstream(config, model)) ?? joinStores([]),
    folder: workspace,
  });
  return { dataset, preview, estimate, bos };
}

/** Scores a model folder on all items of the configuration's tasks. */
export async function evaluateCommand(options: EvaluateOptions): Promise<EvaluateData> {
  const { config, onEvent } = options;
  const { model, device, store } = await openWeights(config, options.model);
  const { tasks: taskFiles, subset } = config.evaluation;
  try {
    const evaluator = createEvaluator({
      device,
      model,
      taskFiles,
      downstream: await loadDownstream(config, model),
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

async function openWeights(config: RunConfig, folder: string) {
  const model = openModel(folder, config.generation.bos);
  const device = await openDevice(await chooseProvider(config.provider, config.threads));
  return { model, device, store: await openFrozen(device, model) };
}

async function plannedSamples(config: RunConfig, model: Model): Promise<number> {
  if (config.generation.count !== undefined) return config.generation.count;
  const { rows } = await loadSources(config.dataset, config, model);
  return wantedSamples(config, splitRows(rows, config).trained.count);
}
