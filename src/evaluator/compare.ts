/**
 * A model beside its base on the same items: how the score changed, which items were lost and which
 * were won, and how sure one can be. A change of accuracy alone hides items that trade places.
 */
import { assert, defined } from '../errors.js';
import { createRandom } from '../random.js';
import type { MetricName, MetricUnit } from '../protocol/metrics.js';
import type { ItemResult, MetricResult } from './results.js';
import type { ScoreEstimate } from './statistics.js';
import { estimate, pairedBootstrap } from './statistics.js';

export interface Transitions {
  count: number;
  ids: string[];
}

export interface Comparison {
  task: string;
  metric: MetricName;
  filter?: string;
  unit: MetricUnit;
  higherIsBetter: boolean;
  /** Number of items that both results have; everything below is over these. */
  n: number;
  base: ScoreEstimate;
  current: ScoreEstimate;
  /** `current − base`, in the metric's unit and own direction. */
  change: number;
  /** How much worse: `−change` where higher is better, `change` where lower is. */
  forgetting: number;
  /** Bootstrap interval of `change`. */
  interval: [low: number, high: number];
  level: number;
  /** For accuracies only. */
  rightToWrong?: Transitions;
  wrongToRight?: Transitions;
}

export interface CompareOptions {
  seed: number;
  replicates?: number;
  level?: number;
}

/**
 * Compares two results of the same task, metric and filter. Items are paired by id, so a subset can
 * be compared with the full set. The interval is a paired percentile bootstrap (`statistics.ts`).
 */
export function compareWithBase(
  base: MetricResult,
  current: MetricResult,
  { seed, replicates = 2000, level = 0.95 }: CompareOptions,
): Comparison {
  const { task, metric, filter, unit, higherIsBetter } = base;
  const same = task === current.task && metric === current.metric && filter === current.filter;
  assert(same, 'only results of the same task, metric and filter can be compared');
  const pairs = pairItems(base.items, current.items);
  const before = pairs.map(([b]) => b);
  const after = pairs.map(([, a]) => a);
  const baseEstimate = estimate(before, unit);
  const currentEstimate = estimate(after, unit);
  const change = currentEstimate.score - baseEstimate.score;
  return {
    task,
    metric,
    ...(filter !== undefined && { filter }),
    unit,
    higherIsBetter,
    n: pairs.length,
    base: baseEstimate,
    current: currentEstimate,
    change,
    forgetting: higherIsBetter ? -change : change,
    interval: pairedBootstrap(before, after, {
      unit,
      random: createRandom(seed),
      replicates,
      level,
    }),
    level,
    ...(unit === 'fraction' && {
      rightToWrong: transitions(pairs, true),
      wrongToRight: transitions(pairs, false),
    }),
  };
}

/** Pairs up two lists of results; results that have no partner are left out. */
export function compareAll(
  base: readonly MetricResult[],
  current: readonly MetricResult[],
  options: CompareOptions,
): Comparison[] {
  const key = ({ task, metric, filter }: MetricResult): string =>
    JSON.stringify([task, metric, filter]);
  const partners = new Map(base.map((result) => [key(result), result]));
  return current.flatMap((result) => {
    const partner = partners.get(key(result));
    return partner === undefined ? [] : [compareWithBase(partner, result, options)];
  });
}

/** `[base, current]` of each item that both have. */
export function pairItems(base: ItemResult[], current: ItemResult[]): [ItemResult, ItemResult][] {
  const partners = new Map(base.map((item) => [item.id, item]));
  const shared = current.filter(({ id }) => partners.has(id));
  assert(shared.length > 0, 'the two results share no items');
  return shared.map((item) => [defined(partners.get(item.id), 'partner'), item]);
}

function transitions(pairs: [ItemResult, ItemResult][], wasRight: boolean): Transitions {
  const changed = pairs.filter(([b, a]) => b.correct === wasRight && a.correct === !wasRight);
  return { count: changed.length, ids: changed.map(([, { id }]) => id) };
}
