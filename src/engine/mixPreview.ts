/**
 * What a configuration would train on, drawn from rows that are read already: for the terminal,
 * which reads them once, and for the preview process, which keeps them while settings move.
 */
import { readDataset, type DatasetOptions } from '../mixer/dataset.js';
import type { DatasetReport } from '../protocol/datasetReport.js';
import { previewMix, type MixPreview, type PlannedSamples } from '../mixer/preview.js';
import type { RowStore } from '../mixer/rowStore.js';
import type { DatasetSource, RunConfig } from '../runs/configSchema.js';
import { maxRowLength, readOptions, tokenizeOptions, wantedSamples } from './dataset.js';
import type { Model } from './model.js';
import { runLength } from './trainPhase.js';

/** The rows of one source, perhaps none, with the report of everything wrong with it. */
export function readSource(
  source: DatasetSource,
  config: RunConfig,
  model: Model,
  pace?: DatasetOptions['pace'],
): Promise<{ rows: RowStore; report: DatasetReport }> {
  const options = { ...readOptions(source, model), pace };
  return readDataset([source.path], options, tokenizeOptions(config, model));
}

/** `rows` are those trained on, without what is held out. Throws what `planEpoch` throws. */
export function previewRun(
  config: RunConfig,
  model: Model,
  rows: RowStore,
  report: DatasetReport,
): MixPreview {
  const { training, mix, seed } = config;
  return previewMix({
    dataset: rows,
    report,
    cfs: expectedSamples(config, model, rows.count),
    seed,
    mode: mix.mode,
    cfsShare: mix.cfsShare,
    batchRows: training.batchRows,
    length: runLength(training),
    tokenText: (token) => model.tokenizer.tokenText(token),
  });
}

/** The samples that a run would generate for so many rows; none for methods without. */
export function expectedSamples(
  config: RunConfig,
  model: Model,
  rows: number,
): PlannedSamples | undefined {
  if (config.method === 'sft') return undefined;
  const meanTokens = Math.min(config.generation.maxLength, maxRowLength(config, model));
  return { rows: wantedSamples(config, rows), meanTokens };
}
