/**
 * What a model said to the items of a task, and the score it got. The base model's results are kept
 * in the run folder (`base.json`), so that a resumed run need not ask again: these schemas are the
 * door they come back through.
 */
import { z } from 'zod';
import { metricNames, metricUnits } from '../protocol/metrics.js';

/** JSON turns an infinite score (a perplexity, say) into null, */
const score = z
  .number()
  .nullable()
  .transform((value) => value ?? Infinity);

/** and so a log-probability of −∞. */
const logprob = z
  .number()
  .nullable()
  .transform((value) => value ?? -Infinity);

const choiceAnswerSchema = z.object({
  /** Σ log p of each choice, in nats. */
  logprobs: z.array(logprob),
  /** Length of each choice in characters (code points), without its leading space. */
  characters: z.array(z.number()),
  /** Index of the right choice. */
  gold: z.int(),
});
export type ChoiceAnswer = z.output<typeof choiceAnswerSchema>;

const generatedAnswerSchema = z.object({
  /** What the model wrote. */
  generated: z.string(),
  /** The same after the filter. */
  filtered: z.string(),
  target: z.string(),
  /** Whether both are equal under the metric's rules. */
  equal: z.boolean(),
});
export type GeneratedAnswer = z.output<typeof generatedAnswerSchema>;

const textAnswerSchema = z.object({
  /** Σ log p over all tokens of the text, in nats. */
  logprob,
  tokens: z.int(),
  /** Words and UTF-8 bytes of the scored text. */
  words: z.int(),
  bytes: z.int(),
});
export type TextAnswer = z.output<typeof textAnswerSchema>;

const loglikelihoodAnswerSchema = z.object({
  /** Σ log p of the continuation's tokens, in nats. */
  logprob,
  /** Number of tokens of the continuation. */
  tokens: z.int(),
  /** Whether every token of the continuation was the model's argmax. */
  greedy: z.boolean(),
});
export type LoglikelihoodAnswer = z.output<typeof loglikelihoodAnswerSchema>;

/** What a model said about one item, in the shape that the task's kind gives it. */
export interface Answers {
  multiple_choice: ChoiceAnswer;
  loglikelihood: LoglikelihoodAnswer;
  loglikelihood_rolling: TextAnswer;
  generate_until: GeneratedAnswer;
}

const itemResultSchema = z.object({
  /** Position of the item in the task's data. */
  id: z.string(),
  /** The item's part in the metric; see `metrics.ts`. */
  value: score,
  weight: z.number(),
  /** For accuracies: whether the item was answered right. */
  correct: z.boolean().optional(),
  answer: z.union([
    choiceAnswerSchema,
    generatedAnswerSchema,
    textAnswerSchema,
    loglikelihoodAnswerSchema,
  ]),
});
export type ItemResult = z.output<typeof itemResultSchema>;

/** One metric of one task, as one model did. */
export const metricResultSchema = z.object({
  task: z.string(),
  metric: z.enum(metricNames),
  /** Name of the filter, where the task has filters. */
  filter: z.string().optional(),
  unit: z.enum(metricUnits),
  higherIsBetter: z.boolean(),
  score,
  /** Standard error of the score; undefined for a single item. */
  stderr: score.optional(),
  n: z.int(),
  items: z.array(itemResultSchema),
});
export type MetricResult = z.output<typeof metricResultSchema>;
