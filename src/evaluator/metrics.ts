/**
 * The metrics, each as one row of a table. Every metric here is a mean over weights put through a
 * function, `score = finish(Σ value / Σ weight)`: an accuracy weighs each item 1, a loss per token
 * weighs an item by its tokens, a perplexity takes the exponential in the end. So one standard
 * error, one bootstrap and one comparison serve them all.
 */
import { assert, defined } from '../errors.js';
import type { LoglikelihoodAnswer, RollingAnswer } from './languageModel.js';
import type { TaskKind } from './taskSchema.js';

/** What a score is measured in; forgetting is averaged only over tasks that share a unit. */
export type MetricUnit = 'fraction' | 'nats' | 'bits' | 'perplexity';

/** One item's part in a metric. */
export interface Measure {
  /** The item's part of the sum. */
  value: number;
  weight: number;
}

export interface ChoiceAnswer {
  /** Σ log p of each choice, in nats. */
  logprobs: number[];
  /** Length of each choice in characters (code points), without its leading space. */
  characters: number[];
  /** Index of the right choice. */
  gold: number;
}

export interface TextAnswer extends RollingAnswer {
  /** Words and UTF-8 bytes of the scored text. */
  words: number;
  bytes: number;
}

export interface GeneratedAnswer {
  /** What the model wrote. */
  generated: string;
  /** The same after the filter. */
  filtered: string;
  target: string;
  /** Whether both are equal under the metric's rules. */
  equal: boolean;
}

/** What a model said about one item, in the shape that the task's kind gives it. */
export interface Answers {
  multiple_choice: ChoiceAnswer;
  loglikelihood: LoglikelihoodAnswer;
  loglikelihood_rolling: TextAnswer;
  generate_until: GeneratedAnswer;
}

/** How each kind of answer is measured. */
type Measures = { [Kind in TaskKind]: (answer: Answers[Kind]) => Measure };

interface MetricRule {
  unit: MetricUnit;
  higherIsBetter: boolean;
  measure: Partial<Measures>;
}

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

const rules = {
  /** The right choice has the highest log-probability; for loglikelihood: the greedy tokens match. */
  acc: {
    unit: 'fraction',
    higherIsBetter: true,
    measure: {
      multiple_choice: (answer) => isRight(chosenBy.acc(answer) === answer.gold),
      loglikelihood: ({ greedy }) => isRight(greedy),
    },
  },
  /** The same with each log-probability divided by the choice's length in characters. */
  acc_norm: {
    unit: 'fraction',
    higherIsBetter: true,
    measure: {
      multiple_choice: (answer) => isRight(chosenBy.acc_norm(answer) === answer.gold),
    },
  },
  exact_match: {
    unit: 'fraction',
    higherIsBetter: true,
    measure: { generate_until: ({ equal }) => isRight(equal) },
  },
  /** exp of the mean, over items, of an item's negative log-probability (LAMBADA's measure). */
  perplexity: {
    unit: 'perplexity',
    higherIsBetter: false,
    measure: { loglikelihood: ({ logprob }) => ({ value: -logprob, weight: 1 }) },
  },
  /** Mean negative log-probability per target token: the validation loss. */
  nll_per_token: {
    unit: 'nats',
    higherIsBetter: false,
    measure: { loglikelihood: perToken, loglikelihood_rolling: perToken },
  },
  token_perplexity: {
    unit: 'perplexity',
    higherIsBetter: false,
    measure: { loglikelihood: perToken, loglikelihood_rolling: perToken },
  },
  word_perplexity: {
    unit: 'perplexity',
    higherIsBetter: false,
    measure: {
      loglikelihood_rolling: ({ logprob, words }) => ({ value: -logprob, weight: words }),
    },
  },
  byte_perplexity: {
    unit: 'perplexity',
    higherIsBetter: false,
    measure: { loglikelihood_rolling: perByte },
  },
  bits_per_byte: {
    unit: 'bits',
    higherIsBetter: false,
    measure: { loglikelihood_rolling: perByte },
  },
} satisfies Record<string, MetricRule>;

export type MetricName = keyof typeof rules;

export const metricNames = Object.keys(rules) as [MetricName, ...MetricName[]];

/** The metrics that a kind of task can be measured by. */
export function metricsOf(kind: TaskKind): MetricName[] {
  return metricNames.filter((name) => kind in rules[name].measure);
}

export function metricRule(name: MetricName): MetricRule {
  return rules[name];
}

/** How `name` measures an answer of `kind`; the task's schema has checked that it does. */
export function measureOf<Kind extends TaskKind>(name: MetricName, kind: Kind): Measures[Kind] {
  const measures: Partial<Measures> = rules[name].measure;
  return defined<Measures[Kind]>(measures[kind], `measure of ${name} for ${kind}`);
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
