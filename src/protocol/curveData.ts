/**
 * What a run's events say as curves: the pure part that the report and the Curves page share, so
 * that both draw the same points from the same run.
 */
import { eventsOf, trueHistory } from './history.js';
import type { RunEvent, RunEventOf, TaskScore } from './records.js';
import { sourceLabel } from './sourceRoles.js';
import { own } from '../own.js';

/** What of a run's events is drawn. */
export interface RunCurves {
  /** Steps that changed the weights. */
  steps: RunEventOf<'train_step'>[];
  /** The ids of the sources that have a loss, in the order of the records. */
  sources: string[];
  evaluations: RunEventOf<'evaluation'>[];
  /** Unlike tasks, the drift is measured on the same samples each time. */
  kl: KlPoint[];
}

export interface KlPoint {
  step: number;
  /** Nats per sample. */
  mean: number;
  stderr: number | null;
  samples: number;
}

/** A task's score at one moment. */
export interface ScorePoint {
  step: number;
  score: number | null;
  /** Standard error of `score`; null where it is not known. */
  stderr: number | null;
  n: number;
  /** Score now − score of the base model on the same items. */
  change: number | null;
}

/** A curve of the loss: that of one source, or of all together. */
export interface LossPart {
  key: string;
  label: string;
  /** The id of the source; undefined for all together. */
  source: string | undefined;
}

export function runCurves(events: readonly RunEvent[]): RunCurves {
  const history = trueHistory(events);
  const evaluations = eventsOf(history, 'evaluation');
  const steps = eventsOf(history, 'train_step').filter((event) => event.skipped !== true);
  return {
    steps,
    sources: sourcesOf(steps),
    evaluations: curveEvaluations(evaluations),
    kl: klPoints(evaluations),
  };
}

/** The subset is scored throughout; full sets, on other items, are not part of the same curve. */
function curveEvaluations(all: RunEventOf<'evaluation'>[]): RunEventOf<'evaluation'>[] {
  const subset = all.filter((event) => event.kind === 'subset');
  return subset.length > 0 ? subset : all;
}

function sourcesOf(steps: readonly RunEventOf<'train_step'>[]): string[] {
  const found = new Set<string>();
  for (const { losses } of steps) {
    for (const [id, loss] of Object.entries(losses)) if (loss !== null) found.add(id);
  }
  return [...found];
}

/** The curves of the loss that these runs have: of all sources together first, then of each. */
export function lossParts(runs: readonly RunCurves[]): LossPart[] {
  const ids = [...new Set(runs.flatMap(({ sources }) => sources))];
  return [
    { key: 'loss', label: 'total', source: undefined },
    ...ids.map((id) => ({ key: `loss-${id}`, label: sourceLabel(id), source: id })),
  ];
}

/** `[step, nats per token]` */
export function lossPoints(
  { steps }: RunCurves,
  { source }: Pick<LossPart, 'source'>,
): [number, number][] {
  return steps.flatMap((event): [number, number][] => {
    const value = source === undefined ? event.loss : (own(event.losses, source) ?? null);
    return value === null ? [] : [[event.step, value]];
  });
}

/** Tells tasks apart; a task that is measured twice is two. */
export function taskKey({ task, metric }: { task: string; metric: string }): string {
  return JSON.stringify([task, metric]);
}

/** Each task and metric once, in the order of appearance. */
export function taskList(runs: readonly RunCurves[]): TaskScore[] {
  const seen = new Map<string, TaskScore>();
  for (const { evaluations } of runs) {
    for (const score of evaluations.flatMap((event) => event.tasks)) {
      const key = taskKey(score);
      if (!seen.has(key)) seen.set(key, score);
    }
  }
  return [...seen.values()];
}

export function taskPoints({ evaluations }: RunCurves, key: string): ScorePoint[] {
  return scorePoints(
    evaluations.flatMap(({ step, tasks }) => {
      const score = tasks.find((each) => taskKey(each) === key);
      return score === undefined ? [] : [{ ...score, step }];
    }),
  );
}

export function downstreamPoints({ evaluations }: RunCurves): ScorePoint[] {
  return scorePoints(
    evaluations.flatMap(({ step, downstream }) =>
      downstream === undefined ? [] : [{ ...downstream, step }],
    ),
  );
}

/**
 * The curve of one task, from the base model on. The base is seldom scored on the subset by itself,
 * but each change says what it had there.
 */
function scorePoints(scores: readonly (TaskScore & { step: number })[]): ScorePoint[] {
  const [first] = scores;
  if (first === undefined) return [];
  const points = scores.map(({ step, score, stderr, n, change }): ScorePoint => {
    const fromFirst = score === null || first.score === null ? null : score - first.score;
    return { step, score, stderr, n, change: change ?? fromFirst };
  });
  if (first.step === 0 || typeof first.change !== 'number' || first.score === null) return points;
  const base = first.score - first.change;
  return [{ step: 0, score: base, stderr: null, n: first.n, change: 0 }, ...points];
}

function klPoints(evaluations: readonly RunEventOf<'evaluation'>[]): KlPoint[] {
  return evaluations.flatMap(({ step, kl }) =>
    kl === undefined || kl.mean === null
      ? []
      : [{ step, mean: kl.mean, stderr: kl.stderr, samples: kl.samples }],
  );
}

export function direction({ higherIsBetter }: { higherIsBetter: boolean }): string {
  return higherIsBetter ? 'higher is better' : 'lower is better';
}
