/**
 * Other settings for a run that has not begun to train: people read its samples first, and then see
 * that another learning rate is better. What its samples depend on stays as it is.
 */
import { rmSync } from 'node:fs';
import { CfsError } from '../errors.js';
import { writeRunConfig } from './config.js';
import type { RunConfig } from './configSchema.js';
import { flattenFields } from './fields.js';
import { takeLock } from './lock.js';
import { readEvents, type RunFolder } from './runFolder.js';

/** The fields in which two configurations differ, dotted. */
export interface SettingChanges {
  settings: string[];
  /** Those of them that make other samples. */
  samples: string[];
}

/** Fields and sections that say which samples a run has. */
const samplesDependOn = ['model', 'dataset', 'method', 'seed', 'generation'];

export function settingChanges(before: RunConfig, after: RunConfig): SettingChanges {
  const [was, is] = [flattenFields(before), flattenFields(after)];
  const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const text = (value: unknown): string | undefined => JSON.stringify(value);
  const settings = fields.filter((field) => text(was[field]) !== text(is[field]));
  const samples = settings.filter((field) => samplesDependOn.includes(field.split('.')[0] ?? ''));
  return { settings, samples };
}

/**
 * Writes `config` into the folder of `run`; nothing where it says the same. Throws `RUN_SETTLED` where
 * the run has begun to train or would need other samples, `RUN_LOCKED` and `WRITE_FAILED`.
 */
export function reviseRun(run: RunFolder, config: RunConfig): void {
  const { settings, samples } = settingChanges(run.config, config);
  if (settings.length === 0) return;
  if (samples.length > 0) {
    throw settled(
      run,
      `The samples of this run were generated with another ${samples.join(', ')}.`,
    );
  }
  const giveBack = takeLock(run.paths.lock);
  try {
    if (readEvents(run).some(({ type }) => type === 'samples_chosen' || type === 'train_step')) {
      throw settled(run, 'This run has begun to train with the settings in its run.yaml.');
    }
    // Scores of the base model may be of other tasks.
    rmSync(run.paths.base, { force: true });
    writeRunConfig(config, run.paths.config);
  } finally {
    giveBack();
  }
}

function settled({ folder }: RunFolder, message: string): CfsError {
  return new CfsError({
    code: 'RUN_SETTLED',
    message,
    remedy: 'Start a new run with these settings.',
    place: { file: folder },
  });
}
