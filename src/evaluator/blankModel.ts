/**
 * A model that answers without looking: asking it a task shows whether every item gives a prompt, an
 * answer and a score, in a moment and before anything is computed.
 */
import type { LanguageModel } from './languageModel.js';

export const blankModel: LanguageModel = {
  loglikelihood: (requests) =>
    Promise.resolve(requests.map(() => ({ logprob: 0, tokens: 1, greedy: false }))),
  loglikelihoodRolling: (texts) => Promise.resolve(texts.map(() => ({ logprob: 0, tokens: 1 }))),
  generateUntil: (requests) => Promise.resolve(requests.map(() => '')),
};
