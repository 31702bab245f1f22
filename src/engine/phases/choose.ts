/** Between training and its last measurement: which weights a run ends with. */
import { CfsError } from '../../errors.js';
import { loadCheckpoint, type TrainingState } from '../../trainer/checkpoint.js';
import { warning, type Job } from '../context.js';
import { chosenMethod } from '../method.js';

/**
 * Leaves in the store the weights that are measured and saved: those of the best checkpoint where one
 * was asked for, edited as the method says. Returns the step they are from.
 */
export async function chooseWeights(job: Job, state: TrainingState): Promise<number> {
  const step = await restoreBest(job, state);
  await editWeights(job);
  return step;
}

async function restoreBest(job: Job, state: TrainingState): Promise<number> {
  const { config, run, store, identity, report } = job;
  const { best } = state;
  if (config.evaluation.bestBy === 'last' || !best || best.step === state.step) return state.step;
  try {
    await loadCheckpoint(run.paths.checkpoints, best.step, store, identity.digest());
    return best.step;
  } catch (error) {
    // The store still holds the last weights: they are saved rather than none.
    if (!(error instanceof CfsError) || error.code !== 'CHECKPOINT_DAMAGED') throw error;
    report(warning(error));
    return state.step;
  }
}

async function editWeights({ config, base, store }: Job): Promise<void> {
  const { method, settings } = chosenMethod(config);
  if (method.edit === undefined) return;
  for await (const { name, data } of store.read('weight')) {
    const edited = method.edit(base.read(name), data, settings);
    await store.fill('weight', name, (values) => values.set(edited));
  }
}
