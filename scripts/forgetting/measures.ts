/**
 * A finished run as the numbers that the comparison needs: its curve over training and its end, read
 * from the run folder alone. Methods are compared where they have learned the new task equally well,
 * so a curve can be read at a downstream loss.
 */
import { assert, defined } from '../../src/errors.js';
import { eventsOf, trueHistory } from '../../src/protocol/history.js';
import type { RunEvent, RunEventOf, RunResults } from '../../src/protocol/records.js';
import { blimpPrefix } from './experiment.js';

export const measures = {
  downstream: { label: 'E2E response loss', unit: 'nats per token', digits: 3, change: false },
  stories: { label: 'TinyStories loss, rise', unit: 'nats per token', digits: 3, change: true },
  blimp: { label: 'BLiMP accuracy, change', unit: 'points', digits: 1, change: true },
  lambada: { label: 'LAMBADA accuracy, change', unit: 'points', digits: 1, change: true },
  lambadaLoss: { label: 'LAMBADA last-word loss, rise', unit: 'nats', digits: 2, change: true },
  kl: { label: 'KL(base ‖ model)', unit: 'nats per sample', digits: 1, change: false },
} as const;

export type Measure = keyof typeof measures;
export const measureNames = Object.keys(measures) as Measure[];

/** All but the downstream loss and the KL are changes from the base model. */
export type Values = Record<Measure, number>;

export interface Point {
  /** Between two measured points a fraction. */
  step: number;
  values: Values;
}

/** A metric of a task, beside the base model on the same items. */
interface Change {
  task: string;
  metric: string;
  base: number;
  score: number;
}

/** The points at which the run was measured on its subset of items, the base model first. */
export function curveOf(events: readonly RunEvent[]): Point[] {
  const measured = eventsOf(trueHistory(events), 'evaluation').filter(
    ({ kind }) => kind === 'subset',
  );
  const [first] = measured;
  assert(first, 'the run was never measured during training');
  const { change, score } = defined(first.downstream, 'downstream score');
  const start = valuesOf(
    number(score) - number(change),
    changesOf(first).map((each) => ({ ...each, score: each.base })),
    0,
  );
  return [
    { step: 0, values: start },
    ...measured.map((event) => ({
      step: event.step,
      values: valuesOf(number(event.downstream?.score), changesOf(event), number(event.kl?.mean)),
    })),
  ];
}

/** The end of the run, on all items. */
export function endOf(results: RunResults): Point {
  const { tasks, downstream, kl, steps } = results;
  const changes = tasks.map(({ task, metric, base, final }) => ({
    task,
    metric,
    base: number(base.score),
    score: number(final.score),
  }));
  const values = valuesOf(number(downstream?.final.score), changes, number(kl?.mean));
  return { step: steps, values };
}

/** The lowest downstream loss that every curve reaches. */
export function commonLoss(curves: readonly Point[][]): number {
  const lowest = curves.map((points) => Math.min(...points.map(lossOf)));
  return Math.max(...lowest);
}

/**
 * The curve where its downstream loss first comes down to `loss`, linear between the two points
 * around it. The curve has to reach that loss (`commonLoss`).
 */
export function atLoss(points: readonly Point[], loss: number): Point {
  const index = points.findIndex((point) => lossOf(point) <= loss);
  const after = defined(points[index], `point with a downstream loss of ${loss}`);
  const before = points[index - 1];
  if (before === undefined) return after;
  const share = (lossOf(before) - loss) / (lossOf(before) - lossOf(after));
  const between = (a: number, b: number): number => a + share * (b - a);
  const values = Object.fromEntries(
    measureNames.map((name) => [name, between(before.values[name], after.values[name])]),
  ) as Values;
  return { step: between(before.step, after.step), values };
}

function lossOf({ values }: Point): number {
  return values.downstream;
}

function valuesOf(downstream: number, changes: readonly Change[], kl: number): Values {
  const only = (task: string, metric: string): Change =>
    defined(
      changes.find((each) => each.task === task && each.metric === metric),
      `${metric} of ${task}`,
    );
  const sets = changes.filter(({ task }) => task.startsWith(blimpPrefix));
  assert(sets.length > 0, 'no BLiMP set was measured');
  const difference = ({ base, score }: Change): number => score - base;
  const words = only('lambada', 'perplexity');
  return {
    downstream,
    stories: difference(only('tinystories', 'nll_per_token')),
    blimp: (100 * sets.reduce((sum, set) => sum + difference(set), 0)) / sets.length,
    lambada: 100 * difference(only('lambada', 'acc')),
    // The perplexity is exp of the mean loss on the last word.
    lambadaLoss: Math.log(words.score) - Math.log(words.base),
    kl,
  };
}

function changesOf({ tasks }: RunEventOf<'evaluation'>): Change[] {
  return tasks.map(({ task, metric, score, change }) => ({
    task,
    metric,
    base: number(score) - number(change),
    score: number(score),
  }));
}

function number(value: number | null | undefined): number {
  assert(typeof value === 'number', 'a measured number is missing from the run folder');
  return value;
}
