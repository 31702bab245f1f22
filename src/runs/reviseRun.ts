/**
 * Other settings for a run that has not begun to train: people read its samples first, and then see
 * that another learning rate is better. What its samples depend on stays as it is.
 */
import { CfsError } from '../errors.js';
import { writeRunConfig } from './config.js';
import type { RunConfig } from './configSchema.js';
import { flattenFields } from './fields.js';
import { changeRule } from './fieldRules.js';
import { hasBegunToTrain, readIdentity } from './identity.js';
import { takeLock } from './lock.js';
import { readEvents, type RunFolder } from './runFolder.js';

/** The fields in which two configurations differ, dotted. */
export interface SettingChanges {
  settings: string[];
  /** Those of them that a run cannot change once it has started: it would need other samples. */
  samples: string[];
}

export function settingChanges(before: RunConfig, after: RunConfig): SettingChanges {
  const [was, is] = [before, after].map((config) => new Map(Object.entries(flattenFields(config))));
  const fields = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])];
  const settings = fields.filter(
    (field) => JSON.stringify(was?.get(field)) !== JSON.stringify(is?.get(field)),
  );
  return { settings, samples: settings.filter((field) => changeRule(field) === 'never') };
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
  const lock = takeLock(run.paths.lock);
  try {
    const identity = readIdentity(run);
    // Runs of earlier versions have only their log.
    const isTrained = readEvents(run).some(({ type }) => type === 'train_step');
    if (isTrained || (identity && hasBegunToTrain(identity))) {
      throw settled(run, 'This run has begun to train with the settings in its run.yaml.');
    }
    writeRunConfig(config, run.paths.config);
  } finally {
    lock.release();
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
