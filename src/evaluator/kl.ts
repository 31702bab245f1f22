/**
 * How far a model has drifted from its base: an estimate of `KL(p_θ* ‖ p_θ)`, the quantity that
 * context-free training holds down, from samples of the base model that were not trained on.
 */
import { assert } from '../errors.js';
import { estimate } from './statistics.js';

/** Log-probabilities of one context-free sample: Σ over its sampled tokens, EOS included, in nats. */
export interface SampleLogprobs {
  base: number;
  current: number;
  /** Number of tokens summed over. */
  tokens: number;
}

export interface DriftEstimate {
  samples: number;
  /** Nats per sequence. */
  perSequence: number;
  perSequenceStderr: number | undefined;
  /** Nats per token: Σ over samples of the difference over Σ of tokens. */
  perToken: number;
  perTokenStderr: number | undefined;
}

/**
 * The mean of `log p_θ*(x) − log p_θ(x)` over samples `x ∼ p_θ*` (`paper.md`: the penalty's own
 * form). Per sequence it is unbiased when the samples were drawn from the base model as it is, at
 * temperature 1 and without top-k or top-p; samples cut at a maximum length give the KL of the
 * sequences cut there. An estimate can be below zero, the KL itself cannot. Per token it is a ratio
 * of means, unbiased only as samples grow. Standard errors are over samples.
 */
export function estimateKl(samples: readonly SampleLogprobs[]): DriftEstimate {
  assert(samples.length > 0, 'a KL estimate needs samples');
  const differences = samples.map(({ base, current, tokens }) => ({
    value: base - current,
    weight: tokens,
  }));
  const perToken = estimate(differences, 'nats');
  const perSequence = estimate(
    differences.map(({ value }) => ({ value, weight: 1 })),
    'nats',
  );
  return {
    samples: samples.length,
    perSequence: perSequence.score,
    perSequenceStderr: perSequence.stderr,
    perToken: perToken.score,
    perTokenStderr: perToken.stderr,
  };
}
