/**
 * What a job measures: the scores of its tasks, the loss on held-out rows of the dataset, and how
 * far the model has drifted from its base (KL), always against the base model on the same items.
 */
import { z } from 'zod';
import { defined } from '../errors.js';
import { compareAll, type Comparison } from '../evaluator/compare.js';
import { evaluateTask } from '../evaluator/evaluate.js';
import { describeItems } from '../evaluator/items.js';
import { estimateKl, type DriftEstimate } from '../evaluator/kl.js';
import type { LanguageModel } from '../evaluator/languageModel.js';
import { metricResultSchema, type MetricResult } from '../evaluator/results.js';
import { scoredModel } from '../evaluator/scoredModel.js';
import { estimate } from '../evaluator/statistics.js';
import { subsetOf, type Task } from '../evaluator/task.js';
import { downstreamTask, loadTasks } from '../evaluator/taskNames.js';
import { greedy } from '../generator/greedy.js';
import type { RowStore } from '../mixer/rowStore.js';
import { contextFreeRow } from '../mixer/rows.js';
import type { Decoders } from '../model/decoder.js';
import { createScorer, type Scorer } from '../model/scoreGraph.js';
import { metrics, type MetricName } from '../protocol/metrics.js';
import type { ItemRecord, SampleRecord, TaskScore } from '../protocol/records.js';
import { createRandom, permutation } from '../random.js';
import type { Device, HeldWeights } from '../runtime/index.js';
import type { Model } from './model.js';

/** A set of measurements of one model; those of the base model are kept as `base.json`. */
export const scoresSchema = z.object({
  /** Every metric of every task; the first of a task is its headline. */
  tasks: z.array(metricResultSchema),
  downstream: metricResultSchema.optional(),
});
export type Scores = z.output<typeof scoresSchema>;

export interface EvaluatorOptions {
  device: Device;
  model: Model;
  decoders: Decoders;
  taskFiles: readonly string[];
  downstream: RowStore | undefined;
  /** Samples of the base model at temperature 1 that are not trained on. */
  klSamples: readonly SampleRecord[];
  /** Items per task of a subset. */
  subset: number;
  seed: number;
}

export type Extent = 'subset' | 'full';

/** Measures whatever weights it is given. */
export interface Evaluator {
  /** `onTask` hears how many tasks are done, of so many. */
  score(
    weights: HeldWeights,
    extent: Extent,
    onTask: (done: number, total: number) => void,
  ): Promise<Scores>;
  /** What `score('subset')` would give, read off full scores. */
  restrict(full: Scores): Scores;
  /** Undefined where there are no samples to estimate it with. */
  kl(weights: HeldWeights): Promise<DriftEstimate | undefined>;
  /** The items of tasks with right and wrong answers, by the first such metric of each. */
  items(base: Scores, final: Scores): Iterable<ItemRecord>;
  release(): Promise<void>;
}

/** Reads all tasks, so that a broken task file is found before anything is computed. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { device, model, decoders, downstream, klSamples, subset, seed } = options;
  const full = loadTasks(options.taskFiles);
  const subsets = full.map((task) => subsetOf(task, subset, seed));
  const scorer = createScorer(device, model.architecture);
  return {
    score: async (weights, extent, onTask) => {
      const language = languageModel(model, weights, { scorer, decoders });
      const tasks: Task[] = extent === 'full' ? full : subsets;
      const results: MetricResult[] = [];
      for (const [i, task] of tasks.entries()) {
        onTask(i, tasks.length);
        results.push(...(await evaluateTask(task, language)));
      }
      const rows = downstream && (extent === 'full' ? downstream.count : subset);
      return {
        tasks: results,
        ...(downstream && rows
          ? { downstream: await rowLoss(scorer, weights, downstream, rows, seed) }
          : {}),
      };
    },
    restrict: ({ tasks, downstream: rows }) => {
      const ids = new Map(
        subsets.map(({ definition, items }) => [definition.task, items.map(({ id }) => id)]),
      );
      const kept = (result: MetricResult): MetricResult =>
        restrictTo(result, new Set(ids.get(result.task)));
      const chosen = downstream && chooseRows(downstream, subset, seed).map(String);
      return {
        tasks: tasks.map(kept),
        ...(rows && chosen ? { downstream: restrictTo(rows, new Set(chosen)) } : {}),
      };
    },
    kl: async (weights) => {
      if (klSamples.length === 0) return undefined;
      const rows = klSamples.map(({ bosId, tokens }) => contextFreeRow([bosId, ...tokens]));
      const scores = await scorer.score(weights, rows);
      return estimateKl(
        klSamples.map(({ logprobs }, i) => ({
          base: total(logprobs),
          current: total(defined(scores[i], 'score').logprob),
          tokens: logprobs.length,
        })),
      );
    },
    items: (base, final) => itemsOf(full, base, final),
    release: async () => {
      await scorer.release();
      await decoders.release();
    },
  };
}

function* itemsOf(tasks: readonly Task[], base: Scores, final: Scores): Generator<ItemRecord> {
  for (const task of tasks) {
    const [before, after] = [base, final].map((scores) =>
      scores.tasks.find((result) => result.task === task.definition.task && isAccuracy(result)),
    );
    if (before && after) yield* describeItems(task, before, after);
  }
}

function isAccuracy({ unit }: MetricResult): boolean {
  return unit === 'fraction';
}

/** The model as tasks see it. */
function languageModel(
  model: Model,
  weights: HeldWeights,
  { scorer, decoders }: { scorer: Scorer; decoders: Decoders },
): LanguageModel {
  const { architecture, tokenizer, bos, eosIds, addsBos } = model;
  return scoredModel({
    tokenizer,
    prefixId: bos.id,
    addBos: addsBos,
    maxLength: architecture.contextLength,
    stopIds: eosIds,
    score: (rows) => scorer.score(weights, rows),
    generateGreedy: async (prompts, request) => {
      const { maxTokens, stopIds } = request;
      const decoder = await decoders.open(weights, {
        batch: Math.min(prompts.length, promptsAtOnce),
        sampling: 'greedy',
      });
      try {
        return await greedy(prompts, {
          decoder,
          maxTokens,
          stopIds,
          shouldStop: (_prompt, tokens) => request.shouldStop(tokens),
        });
      } finally {
        decoder.release();
      }
    },
  });
}

const promptsAtOnce = 16;

/** Mean −log p per response token over held-out rows, as a result that can be compared. */
async function rowLoss(
  scorer: Scorer,
  weights: HeldWeights,
  store: RowStore,
  count: number,
  seed: number,
): Promise<MetricResult> {
  const metric: MetricName = 'nll_per_token';
  const { unit, higherIsBetter } = metrics[metric];
  const chosen = chooseRows(store, count, seed);
  const rows = chosen.map((index) => store.row(index));
  const scores = await scorer.score(weights, rows);
  const items = chosen.map((index, i) => {
    const { logprob, greedy: flags } = defined(scores[i], 'score');
    const value = -total(logprob);
    const answer = { logprob: -value, greedy: flags.every(Boolean), tokens: logprob.length };
    return { id: String(index), value, weight: logprob.length, answer };
  });
  const { score, stderr } = estimate(items, unit);
  return {
    task: downstreamTask,
    metric,
    unit,
    higherIsBetter,
    score,
    stderr,
    n: items.length,
    items,
  };
}

/** `count` rows, always the same for a seed; a smaller count gives some of a larger one's. */
function chooseRows(store: RowStore, count: number, seed: number): number[] {
  return [...permutation(store.count, createRandom(seed)).slice(0, count).sort()];
}

/** A result over some of its items. */
function restrictTo(result: MetricResult, ids: ReadonlySet<string>): MetricResult {
  const items = result.items.filter(({ id }) => ids.has(id));
  const { score, stderr } = estimate(items, result.unit);
  return { ...result, items, score, stderr, n: items.length };
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** `current` beside `base` on the items that both have. */
export function compareScores(base: Scores, current: Scores, seed: number): Comparison[] {
  return compareAll(allResults(base), allResults(current), { seed });
}

export function allResults({ tasks, downstream }: Scores): MetricResult[] {
  return downstream ? [...tasks, downstream] : tasks;
}

/** The first metric of each task. */
export function headlines<T extends { task: string }>(results: readonly T[]): T[] {
  const first = new Map<string, T>();
  for (const result of results) if (!first.has(result.task)) first.set(result.task, result);
  return [...first.values()];
}

/** A score as events carry it. */
export function taskScore(result: MetricResult, comparison: Comparison | undefined): TaskScore {
  const { task, metric, higherIsBetter, score, stderr, n } = result;
  return {
    task,
    metric,
    higherIsBetter,
    score: finite(score),
    stderr: finite(stderr),
    n,
    ...(comparison ? { change: finite(comparison.change) } : {}),
  };
}

/** JSON has no NaN. */
export function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
