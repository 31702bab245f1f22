/** A job's rows: the dataset and held-out rows as the configuration describes them. */
import { dirname } from 'node:path';
import { defined, type CfsError } from '../errors.js';
import { sampleCount } from '../generator/budget.js';
import type { ChatOptions } from '../mixer/chat.js';
import { loadDataset, requireValid, scanDataset, type DatasetOptions } from '../mixer/dataset.js';
import type { DatasetReport } from '../protocol/datasetReport.js';
import { holdOutRows, type SplitRows } from '../mixer/holdOut.js';
import { joinStores, type RowStore } from '../mixer/rowStore.js';
import type { TokenizeOptions } from '../mixer/rows.js';
import type { DatasetSource, RunConfig } from '../runs/configSchema.js';
import { eosOf, type Model } from './model.js';

/** Longest row in tokens: what was asked for, as far as the model goes. */
export function maxRowLength(config: RunConfig, model: Model): number {
  return Math.min(config.training.maxLength, model.architecture.contextLength);
}

export function tokenizeOptions(config: RunConfig, model: Model): TokenizeOptions {
  return {
    tokenizer: model.tokenizer,
    bos: model.addsBos ? model.bos.id : undefined,
    eos: eosOf(model),
    maxLength: maxRowLength(config, model),
  };
}

/** How the files of a source are to be read. */
export function readOptions(source: DatasetSource, model: Model): DatasetOptions {
  const { columns, template, list } = source;
  return { columns, template, list, chat: chatOptions(model) };
}

/** All sources of a list behind each other; reports are added up. */
export async function loadSources(
  sources: readonly DatasetSource[],
  config: RunConfig,
  model: Model,
): Promise<{ rows: RowStore; report: DatasetReport }> {
  const tokenize = tokenizeOptions(config, model);
  const loaded = [];
  for (const source of sources) {
    loaded.push(await loadDataset([source.path], readOptions(source, model), tokenize));
  }
  return {
    rows: joinStores(loaded.map(({ rows }) => rows)),
    report: addReports(loaded.map(({ report }) => report)),
  };
}

/** Where runs are made when nobody says where: beside the dataset. */
export function datasetFolder({ dataset }: RunConfig): string {
  return dirname(defined(dataset[0], 'dataset').path);
}

/** The dataset's files checked as text, where there is no model to tokenize them. */
export async function scanSources({ dataset }: RunConfig): Promise<DatasetReport> {
  const reports = [];
  for (const { path, columns, template, list } of dataset) {
    reports.push(await scanDataset([path], { columns, template, list, chat: anyChat }));
  }
  return addReports(reports);
}

/** The dataset's rows without those that `evaluation.holdOut` keeps for the downstream score. */
export function splitRows(
  rows: RowStore,
  { evaluation, seed }: RunConfig,
): Pick<SplitRows, 'trained'> & Partial<SplitRows> {
  const { downstream, holdOut } = evaluation;
  if (downstream !== undefined || holdOut === 0) return { trained: rows };
  return holdOutRows(rows, holdOut, seed);
}

/** The rows of the downstream score; undefined where the configuration asks for none. */
export async function loadDownstream(
  config: RunConfig,
  model: Model,
): Promise<RowStore | undefined> {
  const { downstream, holdOut } = config.evaluation;
  if (downstream !== undefined) return (await loadSources(downstream, config, model)).rows;
  if (holdOut === 0) return undefined;
  return splitRows((await loadSources(config.dataset, config, model)).rows, config).heldOut;
}

export interface RunRows {
  /** The rows that are trained on. */
  trained: RowStore;
  /** Held-out rows; undefined where the configuration asks for none. */
  downstream: RowStore | undefined;
  report: DatasetReport;
}

/** The rows of a run that was found sound, with what is worth knowing of it. */
export interface CheckedRun extends RunRows {
  warnings: CfsError[];
}

/** All rows of a run. Throws `DATASET_INVALID` for a dataset with errors, `DATASET_EMPTY`. */
export async function loadRunRows(config: RunConfig, model: Model): Promise<RunRows> {
  const { rows, report } = await loadSources(config.dataset, config, model);
  requireValid(report);
  const { trained, heldOut } = splitRows(rows, config);
  return { trained, downstream: heldOut ?? (await loadDownstream(config, model)), report };
}

/** How many samples a run wants, for its number of dataset rows. */
export function wantedSamples({ generation }: RunConfig, datasetRows: number): number {
  const { count, budget } = generation;
  return sampleCount(count === undefined ? { fraction: budget } : { count }, datasetRows);
}

/** Reports of several sources as one. */
export function addReports(reports: readonly DatasetReport[]): DatasetReport {
  const sum = (value: (report: DatasetReport) => number): number =>
    reports.reduce((total, report) => total + value(report), 0);
  const counts = new Map<string, number>();
  for (const [code, count] of reports.flatMap((report) => Object.entries(report.counts))) {
    counts.set(code, (counts.get(code) ?? 0) + count);
  }
  return {
    counts: Object.fromEntries(counts),
    files: reports.flatMap(({ files }) => files),
    problems: reports.flatMap(({ problems }) => problems),
    errors: sum(({ errors }) => errors),
    warnings: sum(({ warnings }) => warnings),
    rows: sum(({ rows }) => rows),
    kept: sum(({ kept }) => kept),
    truncated: sum(({ truncated }) => truncated),
  };
}

/** Stands in for a model's own template where conversations are checked without a model. */
export const anyChat: ChatOptions = {
  template:
    '{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}' +
    '{% if add_generation_prompt %}<assistant>{% endif %}',
  bosToken: '',
  eosToken: '',
};

function chatOptions({ tokenizer, bos, eosIds }: Model): ChatOptions | undefined {
  const { chatTemplate } = tokenizer;
  if (chatTemplate === undefined) return undefined;
  const text = (id: number | undefined): string =>
    id === undefined ? '' : tokenizer.decode([id], { keepSpecial: true });
  return { template: chatTemplate, bosToken: text(bos.id), eosToken: text(eosIds[0]) };
}
