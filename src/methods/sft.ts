/** Plain fine-tuning: the mean over the dataset's response tokens of the step. */
import type { Method } from './method.js';
import { meanOfEachSource } from './weights.js';

export const sft: Method = {
  name: 'sft',
  label: 'Standard',
  about: 'Fine-tune on the dataset alone, with loss on the response tokens.',
  sources: [],
  settings: { uses: [] },
  needsBase: false,
  targetWeights: (step) => meanOfEachSource(step, { dataset: 1 }),
};
