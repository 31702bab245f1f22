/**
 * What a run would train on, before it runs: rows and tokens of each kind, steps, what is cut or
 * left out, and one batch drawn exactly as training would draw it.
 */
import type { DatasetReport } from '../protocol/datasetReport.js';
import { createMixer, planEpoch, stepCount, type MixSettings, type Source } from './mixer.js';
import type { Origin, RowStore } from './rowStore.js';

/** Context-free samples that are still to be generated. */
export interface PlannedSamples {
  rows: number;
  /** Expected tokens of a sample, BOS included. */
  meanTokens: number;
}

export interface PreviewOptions extends MixSettings {
  dataset: RowStore;
  report: DatasetReport;
  cfs: RowStore | PlannedSamples | undefined;
  seed: number;
  length: { epochs: number } | { steps: number };
  /** The text of one token, for the drawn batch. */
  tokenText: (id: number) => string;
}

export interface SourcePreview {
  rows: number;
  /** Tokens of those rows, and those of them trained on; expected values when planned. */
  tokens: number;
  trainedTokens: number;
  longest: number;
  rowsPerEpoch: number;
  /** True for samples not generated yet. */
  planned: boolean;
}

export interface PreviewRow {
  source: Source;
  /** Index among the rows of its source. */
  row: number;
  /** Where it was read; missing for samples. */
  origin?: Origin;
  /** Empty for a sample not generated yet. */
  tokens: { text: string; trained: boolean }[];
}

export interface MixPreview {
  dataset: SourcePreview;
  cfs: SourcePreview | undefined;
  stepsPerEpoch: number;
  steps: number;
  epochs: number;
  /** Dataset rows read but not trained on, and rows that lost their end. */
  leftOut: number;
  truncated: number;
  /** The first batch of the first epoch. */
  batch: PreviewRow[];
}

/** Throws what `planEpoch` throws. */
export function previewMix(options: PreviewOptions): MixPreview {
  const { dataset, report, mode, batchRows, cfsShare, seed, length } = options;
  const planned = options.cfs !== undefined && !('row' in options.cfs);
  const cfs = options.cfs === undefined ? undefined : asStore(options.cfs);
  const settings = { mode, batchRows, cfsShare };
  const plan = planEpoch(dataset.count, cfs?.count ?? 0, settings);
  const steps = stepCount(length, plan.steps);
  return {
    dataset: describe(dataset, plan.datasetRows, false),
    cfs: cfs && describe(cfs, plan.cfsRows, planned),
    stepsPerEpoch: plan.steps,
    steps,
    epochs: steps / plan.steps,
    leftOut: report.rows - report.kept,
    truncated: report.truncated,
    batch: drawBatch({ ...settings, dataset, cfs, seed }, options.tokenText),
  };
}

function drawBatch(
  options: MixSettings & { dataset: RowStore; cfs: RowStore | undefined; seed: number },
  tokenText: (id: number) => string,
): PreviewRow[] {
  const step = createMixer(options).next();
  return (step?.rows ?? []).map((row, i) => {
    const source = step?.sources[i] ?? 'dataset';
    const index = step?.rowIndices[i] ?? 0;
    const tokens = [...row.ids].map((id, t) => ({
      text: tokenText(id),
      trained: row.supervised[t] === 1,
    }));
    const origin = source === 'dataset' ? options.dataset.origin(index) : undefined;
    return { source, row: index, origin, tokens };
  });
}

function describe(store: RowStore, rowsPerEpoch: number, planned: boolean): SourcePreview {
  const { count: rows, tokens, trainedTokens, longest } = store;
  return { rows, tokens, trainedTokens, longest, rowsPerEpoch, planned };
}

/** Samples not written yet stand in as rows without tokens. */
function asStore(cfs: RowStore | PlannedSamples): RowStore {
  if ('row' in cfs) return cfs;
  return {
    count: cfs.rows,
    tokens: Math.round(cfs.rows * cfs.meanTokens),
    trainedTokens: Math.round(cfs.rows * (cfs.meanTokens - 1)),
    longest: Math.ceil(cfs.meanTokens),
    row: () => ({ ids: new Int32Array(), supervised: new Uint8Array() }),
    origin: () => undefined,
  };
}
