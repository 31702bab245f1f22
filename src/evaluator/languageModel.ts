/**
 * The seam between tasks and models, in the manner of lm-evaluation-harness: a task yields requests,
 * a model answers them, and scoring knows neither.
 */

/** Score `continuation` after `context`, both as text (see `docs/evaluation.md` for the token rule). */
export interface LoglikelihoodRequest {
  context: string;
  continuation: string;
}

export interface LoglikelihoodAnswer {
  /** Σ log p of the continuation's tokens, in nats. */
  logprob: number;
  /** Number of tokens of the continuation. */
  tokens: number;
  /** Whether every token of the continuation was the model's argmax. */
  greedy: boolean;
}

/** Rolling log-likelihood of a whole text, begun by the BOS token. */
export interface RollingAnswer {
  /** Σ log p over all tokens of the text, in nats. */
  logprob: number;
  tokens: number;
}

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
