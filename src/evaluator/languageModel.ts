/**
 * The seam between tasks and models, in the style of lm-evaluation-harness: a task yields requests,
 * a model answers them, and scoring knows neither.
 */
import type { LoglikelihoodAnswer, TextAnswer } from './results.js';

/** Score `continuation` after `context`, both as text (see `docs/evaluation.md` for the token rule). */
export interface LoglikelihoodRequest {
  context: string;
  continuation: string;
}

/** Rolling log-likelihood of a whole text, starting with the BOS token. */
export type RollingAnswer = Pick<TextAnswer, 'logprob' | 'tokens'>;

export interface GenerateRequest {
  context: string;
  /** Stop before the first of these strings (the EOS token always stops). */
  until: string[];
  maxTokens: number;
}

export interface LanguageModel {
  loglikelihood(requests: LoglikelihoodRequest[]): Promise<LoglikelihoodAnswer[]>;
  loglikelihoodRolling(texts: string[]): Promise<RollingAnswer[]>;
  /** Greedy continuations. */
  generateUntil(requests: GenerateRequest[]): Promise<string[]>;
}
