/** The disk that a run takes, exactly where it can be counted: checkpoints, model and samples. */
import { CfsError } from '../../errors.js';
import { expectedRows, isPlanned, type ExpectedSource } from '../../mixer/preview.js';
import { formatBytes } from '../../protocol/format.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { checkpointBytes, type StorePlan } from '../../trainer/storePlan.js';
import type { Model } from '../model.js';
import { plannedCheckpoints } from '../phases/train.js';
import { klSettings } from '../samples.js';
import { samplingShape } from '../sampling.js';

/** A token of a sample with its text and log-probability, as JSON. */
const bytesPerSampledToken = 40;

export interface DiskRequest {
  config: RunConfig;
  model: Model;
  store: StorePlan;
  /** The sources of the mix; the dataset holds the rows that are trained on. */
  sources: readonly ExpectedSource[];
}

/** The checkpoints that are kept, one more before the oldest goes, the model at the end, and samples. */
export function diskBytes({ config, model, store, sources }: DiskRequest): number {
  const { training, evaluation } = config;
  const written = plannedCheckpoints(
    config,
    sources.map((source) => ({ ...source, rows: expectedRows(source.rows) })),
  );
  const best = evaluation.bestBy === 'last' ? 0 : 1;
  const kept = Math.min(written, training.keepCheckpoints + 1) + best;
  const { samples, length } = samplingShape(klSettings(config), model, evaluation.klSamples);
  const tokens = sources.reduce(
    (sum, { rows }) => (isPlanned(rows) ? sum + rows.rows * rows.meanTokens : sum),
    samples * length,
  );
  return (
    kept * checkpointBytes(store) + model.folder.tensors.bytes() + tokens * bytesPerSampledToken
  );
}

/** Throws `DISK_SHORT` where `needed` bytes are more than there are in `folder`. */
export function requireDisk(needed: number, available: number, folder: string): void {
  if (needed <= available) return;
  throw new CfsError({
    code: 'DISK_SHORT',
    message: `Checkpoints, model and samples need ${formatBytes(needed)}; ${formatBytes(available)} are free on this disk.`,
    remedy: 'Free some disk space, or lower training.keepCheckpoints.',
    place: { file: folder },
  });
}
