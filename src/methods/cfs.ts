/**
 * L = L_SFT + λ·L_CFS (arXiv 2505.13811): L_SFT is the mean over the dataset's response tokens of the
 * step, L_CFS the mean over all tokens of its context-free samples.
 */
import type { Method } from './method.js';
import { meanOfEachSource } from './weights.js';

export const cfs: Method = {
  name: 'cfs',
  label: 'CFS',
  about:
    'Also train on context-free samples of the base model, with loss on every token ' +
    '(arXiv 2505.13811).',
  sources: ['context-free'],
  settings: { uses: ['generation.budget', 'generation.count', 'mix'] },
  needsBase: false,
  targetWeights: (step, { lambda }) => meanOfEachSource(step, { dataset: 1, cfs: lambda }),
};
