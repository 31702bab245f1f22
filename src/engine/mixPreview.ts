/**
 * What a configuration would train on, drawn from rows that are read already: for the terminal,
 * which reads them once, and for the preview process, which keeps them while settings move.
 */
import { readDataset, type DatasetOptions } from '../mixer/dataset.js';
import type { DatasetReport } from '../protocol/datasetReport.js';
import { previewMix } from '../mixer/preview.js';
import type { RowStore } from '../mixer/rowStore.js';
import type { MixPreview } from '../protocol/preview.js';
import type { DatasetSource, RunConfig } from '../runs/configSchema.js';
import { readOptions, tokenizeOptions } from './dataset.js';
import type { Model } from './model.js';
import { expectedSources } from './sources/index.js';
import { runLength } from './phases/train.js';

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
    sources: expectedSources(config, model, rows),
    report,
    seed,
    mode: mix.mode,
    batchRows: training.batchRows,
    length: runLength(training),
    tokenText: (token) => model.tokenizer.tokenText(token),
  });
}
