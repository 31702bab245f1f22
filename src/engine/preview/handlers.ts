/**
 * What the preview process answers. Models and tokenized rows are kept, so that a moved setting is
 * answered from memory; only what a setting changes is read again, and a newer question ends the
 * reading that it does not need.
 */
import { attempt, attemptAsync, CfsError } from '../../errors.js';
import { requireUsable, scanDataset } from '../../mixer/dataset.js';
import { joinStores, type RowStore } from '../../mixer/rowStore.js';
import type { DatasetReport } from '../../protocol/datasetReport.js';
import { errorRecord } from '../../protocol/errorRecord.js';
import type {
  MixPreview,
  ModelFacts,
  PreviewContract,
  PreviewData,
} from '../../protocol/preview.js';
import type { Handlers } from '../../protocol/rpc.js';
import { checkFields, fieldName } from '../../runs/configCheck.js';
import type { DatasetSource, RunConfig } from '../../runs/configSchema.js';
import { writeReport } from '../../runs/report.js';
import { openRun } from '../../runs/runFolder.js';
import { doctorCommand } from '../commands.js';
import { addReports, anyChat, datasetFolder, maxRowLength, splitRows } from '../dataset.js';
import { parameterCount } from '../../model/parameters.js';
import { createEstimator } from '../estimate/index.js';
import { findingRecord, type Finding } from '../finding.js';
import { previewRun, readSource } from '../mixPreview.js';
import { openModel, type Model } from '../model.js';
import { createCache } from '../cache.js';
import { createPreflight } from '../preflight.js';
import { createPacing } from './pace.js';
import { createSamplesFeed, type SamplesTold } from './samplesFeed.js';
import { fileStamp, folderStamp } from '../stamp.js';

export interface Tell {
  reading(progress: { file: string; rows: number }): void;
  samples(told: SamplesTold): void;
  /** What is wrong with a file of samples. */
  problem(problem: CfsError): void;
}

interface ReadSource {
  rows: RowStore;
  report: DatasetReport;
}

/** Models that are kept, beside their rows: one is looked at, another was a moment ago. */
const keptModels = 2;
/** Readings that are kept beside those in use: people move a setting and move it back. */
const spareReadings = 1;
/** Tokens of a drawn batch that are worth sending; each takes some 30 bytes. */
const mostDrawn = 24_000;

export function createHandlers(tell: Tell): Handlers<PreviewContract> {
  const pacing = createPacing((progress) => tell.reading(progress));
  const models = createCache<Model>();
  const readings = createCache<ReadSource>();
  const splits = createCache<ReturnType<typeof splitRows> | undefined>();
  const estimator = createEstimator();
  const preflight = createPreflight();
  const samplesFeed = createSamplesFeed(
    (told) => tell.samples(told),
    (problem) => tell.problem(problem),
  );
  let newest = new AbortController();

  const open = async (folder: string, bos: RunConfig['generation']['bos']) => {
    const key = JSON.stringify([folderStamp(folder), bos]);
    const model = await models.get(key, () => Promise.resolve().then(() => openModel(folder, bos)));
    models.trim(keptModels);
    return { key, model };
  };

  /** The rows of all sources; `keys` are what they depend on, in the same order. */
  const readAll = async (
    sources: readonly DatasetSource[],
    keys: readonly string[],
    config: RunConfig,
    model: Model,
    wanted: AbortSignal,
  ): Promise<ReadSource[]> => {
    const read: ReadSource[] = [];
    for (const [i, source] of sources.entries()) {
      const reading = readings.get(keys[i] ?? '', (signal) =>
        readSource(source, config, model, pacing(signal)),
      );
      read.push(await whileWanted(reading, wanted));
    }
    return read;
  };

  const preview = async (
    data: Record<string, unknown>,
    folder: string | undefined,
    wanted: AbortSignal,
  ): Promise<PreviewData> => {
    const config = parseConfig(data);
    const { key: modelKey, model } = await open(config.model, config.generation.bos).catch(
      (error: unknown) => {
        throw withSetting(error);
      },
    );
    const keyOf = ({ path, ...how }: DatasetSource): string =>
      JSON.stringify([fileStamp(path), how, maxRowLength(config, model), modelKey]);
    const { downstream: tested = [], holdOut } = config.evaluation;
    const keys = config.dataset.map(keyOf);
    const testKeys = tested.map(keyOf);
    readings.endAllBut(new Set([...keys, ...testKeys]));

    const read = await readAll(config.dataset, keys, config, model, wanted);
    const report = addReports(read.map((one) => one.report));
    const findings: Finding[] = [];
    const tellAt = (field: string) => (problem: CfsError) =>
      void findings.push({ severity: 'error', field, problem });
    const splitKey = JSON.stringify([keys, holdOut, config.seed, tested.length > 0]);
    const split = await attemptAsync(
      () =>
        splits.get(splitKey, () =>
          Promise.resolve(joinStores(read.map(({ rows }) => rows))).then((rows) =>
            rows.count === 0 ? undefined : splitRows(rows, config),
          ),
        ),
      tellAt('evaluation.holdOut'),
    );
    splits.trim(1 + spareReadings);
    const tests = await readAll(tested, testKeys, config, model, wanted);
    readings.trim(keys.length + testKeys.length + spareReadings);

    for (const { report: own } of tests) {
      attempt(() => requireUsable(own), tellAt('evaluation.downstream'));
    }

    const workspace = folder ?? datasetFolder(config);
    const inspection = { model, problems: [] as [] };
    const rows = split?.trained;
    const place = { workspace };
    const downstream = split?.heldOut ?? joinStores(tests.map(({ rows: own }) => own));
    const facts = { config, inspection, modelKey, rows, downstream, place };
    const checking = preflight({ ...facts, inThisProcess: false, thorough: false });
    const { findings: found, requests, provider, fit } = await whileWanted(checking, wanted);
    findings.push(...found);
    const first = findings.find(({ severity }) => severity === 'error');
    const known = {
      model: modelFacts(model),
      dataset: report,
      findings: findings.map(findingRecord),
      ...(first ? { problem: errorRecord(first.problem) } : {}),
    };
    // What stands in the way of a mix is among the findings already.
    const mix =
      rows &&
      attempt(
        () => previewRun(config, model, rows, report),
        () => undefined,
      );
    if (!mix) return known;
    const drawn = { ...known, mix: withoutExcess(mix) };
    if (!provider || !fit || requests.length < config.evaluation.tasks.length) return drawn;
    const estimating = estimator.estimate(fit, model, provider);
    return { ...drawn, estimate: await whileWanted(estimating, wanted) };
  };

  return {
    describeModel: async ({ folder, bos }) => modelFacts((await open(folder, bos)).model),
    validateDataset: ({ files }) => {
      const pace = pacing(new AbortController().signal);
      return scanDataset(files, { chat: anyChat, pace });
    },
    preview: ({ config, folder }) => {
      newest.abort();
      newest = new AbortController();
      return preview(config, folder, newest.signal);
    },
    drawReport: ({ folder }) => {
      writeReport(openRun(folder));
      return {};
    },
    doctor: () => doctorCommand(),
    followSamples: ({ file }) => {
      samplesFeed.follow(file);
      return {};
    },
    sampleTokens: async ({ file, indices }) => ({
      samples: await samplesFeed.tokens(file, indices),
    }),
  };
}

function modelFacts({ folder, architecture, tokenizer, bos }: Model): ModelFacts {
  const { family, layers, vocabSize, contextLength } = architecture;
  const { id, token, reason, candidates } = bos;
  return {
    folder: folder.folder,
    architecture: family,
    parameters: parameterCount(architecture.parameters),
    layers,
    vocabulary: vocabSize,
    contextLength,
    hasChatTemplate: tokenizer.chatTemplate !== undefined,
    bos: { id, token, reason, candidates },
  };
}

/** Throws one `CONFIG_INVALID` for the first problem: a form shows all of them by itself. */
function parseConfig(data: Record<string, unknown>): RunConfig {
  const check = checkFields(data);
  if ('config' in check) return check.config;
  const [first] = check.problems;
  throw new CfsError({
    code: 'CONFIG_INVALID',
    message: first?.message ?? 'The configuration is not valid.',
    remedy: 'Correct this field to update the preview.',
    place: { field: fieldName(first?.path ?? []) },
  });
}

/**
 * An error of opening the model with the setting it comes from. Its path does not tell: another
 * setting may hold the same one.
 */
function withSetting(error: unknown): unknown {
  if (!(error instanceof CfsError)) return error;
  const { code, message, remedy, place } = error;
  const setting = code.startsWith('BOS_') ? 'generation.bos' : 'model';
  return new CfsError({ code, message, remedy, place: { ...place, setting }, cause: error });
}

function superseded(): CfsError {
  return new CfsError({
    code: 'PREVIEW_SUPERSEDED',
    message: 'A newer preview was requested.',
    remedy: 'Wait for the newer one.',
  });
}

/** `work`, or `PREVIEW_SUPERSEDED` as soon as nobody wants it any more; the work may continue. */
async function whileWanted<T>(work: Promise<T>, wanted: AbortSignal): Promise<T> {
  if (wanted.aborted) throw superseded();
  let stop = (): void => undefined;
  const end = new Promise<never>((_, reject) => {
    stop = () => reject(superseded());
    wanted.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    wanted.removeEventListener('abort', stop);
  }
}

/** Leaves out rows of a batch that is too large to be looked at. */
function withoutExcess(mix: MixPreview): MixPreview {
  let drawn = 0;
  return { ...mix, batch: mix.batch.filter(({ tokens }) => (drawn += tokens.length) <= mostDrawn) };
}
