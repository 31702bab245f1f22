/**
 * How each metric is computed; `protocol/metrics.ts` says what they are measured in. Every metric is
 * a function of a weighted mean, `score = finish(Σ value / Σ weight)`: an accuracy gives each item
 * weight 1, a loss per token weights an item by its tokens, a perplexity takes the exponential at the
 * end. So one standard error, one bootstrap and one comparison serve them all.
 */
import { assert, defined } from '../errors.js';
import { metricNames, type MetricName, type MetricUnit } from '../protocol/metrics.js';
import type { RollingAnswer } from './languageModel.js';
import type { Answers, ChoiceAnswer, TextAnswer } from './results.js';
import type { TaskKind } from './taskKinds.js';

/** One item's part in a metric. */
export interface Measure {
  /** The item's part of the sum. */
  value: number;
  weight: number;
}

/** How each kind of answer is measured. */
type Measures = { [Kind in TaskKind]: (answer: Answers[Kind]) => Measure };

const perToken = ({ logprob, tokens }: RollingAnswer): Measure => ({
  value: -logprob,
  weight: tokens,
});
const perByte = ({ logprob, bytes }: TextAnswer): Measure => ({ value: -logprob, weight: bytes });
const isRight = (right: boolean): Measure => ({ value: right ? 1 : 0, weight: 1 });

/** Index of the choice that the model takes by each metric of multiple choice. */
const chosenBy = {
  acc: ({ logprobs }: ChoiceAnswer): number => argmax(logprobs),
  acc_norm: ({ logprobs, characters }: ChoiceAnswer): number =>
    argmax(logprobs.map((p, i) => p / defined(characters[i], 'length'))),
};

const measures: Record<MetricName, Partial<Measures>> = {
  acc: {
    multiple_choice: (answer) => isRight(chosenBy.acc(answer) === answer.gold),
    loglikelihood: ({ greedy }) => isRight(greedy),
  },
  acc_norm: {
    multiple_choice: (answer) => isRight(chosenBy.acc_norm(answer) === answer.gold),
  },
  exact_match: { generate_until: ({ equal }) => isRight(equal) },
  perplexity: { loglikelihood: ({ logprob }) => ({ value: -logprob, weight: 1 }) },
  nll_per_token: { loglikelihood: perToken, loglikelihood_rolling: perToken },
  token_perplexity: { loglikelihood: perToken, loglikelihood_rolling: perToken },
  word_perplexity: {
    loglikelihood_rolling: ({ logprob, words }) => ({ value: -logprob, weight: words }),
  },
  byte_perplexity: { loglikelihood_rolling: perByte },
  bits_per_byte: { loglikelihood_rolling: perByte },
};

/** The metrics that a kind of task can be measured by. */
export function metricsOf(kind: TaskKind): MetricName[] {
  return metricNames.filter((name) => kind in measures[name]);
}

/** How `name` measures an answer of `kind`; the task's schema has checked that it does. */
export function measureOf<Kind extends TaskKind>(name: MetricName, kind: Kind): Measures[Kind] {
  return defined<Measures[Kind]>(measures[name][kind], `measure of ${name} for ${kind}`);
}

/** Index of the choice that `name` takes for the model's; `name` measures multiple choice. */
export function chosenChoice(name: MetricName, answer: ChoiceAnswer): number {
  assert(name === 'acc' || name === 'acc_norm', `${name} measures multiple choice`);
  return chosenBy[name](answer);
}

/** From the mean `Σ value / Σ weight` (nats where it is a loss) to the score. */
export function finish(unit: MetricUnit, mean: number): number {
  if (unit === 'perplexity') return Math.exp(mean);
  return unit === 'bits' ? mean / Math.LN2 : mean;
}

/** Derivative of `finish` at `mean`, which carries a standard error over to the score. */
export function finishSlope(unit: MetricUnit, mean: number): number {
  if (unit === 'perplexity') return Math.exp(mean);
  return unit === 'bits' ? 1 / Math.LN2 : 1;
}

/** Index of the greatest value; the lowest index among equals. */
export function argmax(values: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (defined(values[i], 'value') > defined(values[best], 'value')) best = i;
  }
  return best;
}
