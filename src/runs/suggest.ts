/**
 * Settings that suit a model and a dataset, so that a newcomer can start without knowing what a
 * learning rate is. `run.yaml` has fixed defaults for a model of about a billion parameters; here is
 * how they move with the size of the model, its context and the number of rows.
 */
import type { DatasetReport } from '../protocol/datasetReport.js';
import type { ModelFacts } from '../protocol/preview.js';
import { runConfigSchema } from './configSchema.js';

/** Nested as `run.yaml` is. */
export interface SuggestedSettings {
  training: { learningRate: number; epochs: number; maxLength: number };
  generation: { maxLength: number };
  evaluation: { every: number };
}

/** Where the published learning rate was found to work, and how much smaller models bear. */
const reference = { learningRate: 5e-6, parameters: 1e9, exponent: 0.75, highest: 1e-3 };
/** A dataset with fewer rows than this is trained on for several epochs. */
const fewRows = { below: 1000, epochs: 3 };
const evaluations = 10;

/** Pure: the same facts give the same settings. Lengths are in tokens. */
export function suggestSettings(
  model: Pick<ModelFacts, 'parameters' | 'contextLength'>,
  dataset: Pick<DatasetReport, 'kept'>,
): SuggestedSettings {
  const { training, generation } = defaults;
  const epochs = dataset.kept < fewRows.below ? fewRows.epochs : training.epochs;
  const rows = dataset.kept * (1 + generation.budget);
  const steps = Math.ceil(rows / training.batchRows) * epochs;
  return {
    training: {
      learningRate: suggestLearningRate(model.parameters),
      epochs,
      maxLength: Math.min(training.maxLength, model.contextLength),
    },
    // The BOS token takes one position of the context.
    generation: { maxLength: Math.max(1, Math.min(generation.maxLength, model.contextLength - 1)) },
    // Not 0, which would mean “never during training”.
    evaluation: { every: Math.max(1, oneDigit(steps / evaluations)) },
  };
}

/** Rises for models below a billion parameters; one significant digit. */
export function suggestLearningRate(parameters: number): number {
  const { learningRate, exponent, highest } = reference;
  if (parameters >= reference.parameters) return learningRate;
  const risen = learningRate * (reference.parameters / parameters) ** exponent;
  return oneDigit(Math.min(highest, risen));
}

function oneDigit(value: number): number {
  return Number(value.toPrecision(1));
}

const defaults = runConfigSchema.parse({ model: 'unknown', dataset: 'unknown' });
