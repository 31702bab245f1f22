/**
 * The curves of a report, as plain data that the page script hands to Chart.js. One run: its losses
 * together, and all tasks of a metric together. Several runs: one chart per quantity, with a line
 * per run, because that is what is compared.
 */
import { eventsOf, trueHistory } from '../protocol/history.js';
import type { RunEvent, RunEventOf, TaskScore } from '../protocol/records.js';

export interface Series {
  label: string;
  /** Index into the palette; the dash pattern follows from it, so colour is never alone. */
  style: number;
  /** `[x, y]` */
  points: [number, number][];
  /** Half width of a band around each point, `[points]`. */
  spread?: number[];
}

export interface Chart {
  title: string;
  /** One line under the title: the unit, which direction is good. */
  note: string;
  series: Series[];
  /** Narrower, for many charts side by side. */
  small: boolean;
}

/** What the charts need of a run. */
export interface ChartRun {
  label: string;
  events: readonly RunEvent[];
}

/** Long runs are drawn as means over this many stretches. */
const mostPoints = 200;

export function buildCharts(runs: readonly ChartRun[]): Chart[] {
  const histories = runs.map(({ label, events }) => {
    const history = trueHistory(events);
    return {
      label,
      steps: eventsOf(history, 'train_step').filter((event) => event.skipped !== true),
      evaluations: curveEvaluations(eventsOf(history, 'evaluation')),
    };
  });
  const charts = [
    ...lossCharts(histories),
    ...downstreamCharts(histories),
    ...(histories.length === 1 ? chartsByMetric(histories) : chartsByTask(histories)),
    ...klCharts(histories),
  ];
  return charts.filter((chart) => chart.series.length > 0);
}

interface History {
  label: string;
  steps: RunEventOf<'train_step'>[];
  evaluations: RunEventOf<'evaluation'>[];
}

/** The subset is scored all along; full sets, on other items, are not part of the same curve. */
function curveEvaluations(all: RunEventOf<'evaluation'>[]): RunEventOf<'evaluation'>[] {
  const subset = all.filter((event) => event.kind === 'subset');
  return subset.length > 0 ? subset : all;
}

function lossCharts(runs: readonly History[]): Chart[] {
  const [only] = runs;
  const parts = [
    { key: 'loss', label: 'total' },
    { key: 'sftLoss', label: 'dataset (SFT)' },
    { key: 'cfsLoss', label: 'context-free samples (CFS)' },
  ] as const;
  if (runs.length === 1 && only !== undefined) {
    const lines = parts.map(({ key, label }, style) => lossSeries(only, key, label, style));
    const [total, ...rest] = lines.filter((line) => line.points.length > 0);
    // With one kind of row the total is that row's loss: one line says it.
    const series = total === undefined ? [] : rest.length > 1 ? [total, ...rest] : [total];
    return [{ title: 'Training loss', note: 'nats per token', series, small: false }];
  }
  return parts.slice(1).map(({ key, label }) => ({
    title: `Training loss: ${label}`,
    note: 'nats per token',
    series: runs
      .map((run, style) => lossSeries(run, key, run.label, style))
      .filter((line) => line.points.length > 0),
    small: false,
  }));
}

function lossSeries(
  run: History,
  key: 'loss' | 'sftLoss' | 'cfsLoss',
  label: string,
  style: number,
): Series {
  const points = run.steps.flatMap((event): [number, number][] => {
    const value = event[key];
    return value === null ? [] : [[event.step, value]];
  });
  return { label, style, points: thin(points) };
}

function downstreamCharts(runs: readonly History[]): Chart[] {
  const found = runs.flatMap((run, style) => {
    const scores = run.evaluations.flatMap(({ step, downstream }) =>
      downstream === undefined ? [] : [{ step, ...downstream }],
    );
    const [first] = scores;
    const points = scores.flatMap(({ step, score }): [number, number][] =>
      score === null ? [] : [[step, score]],
    );
    return first === undefined || points.length === 0
      ? []
      : [{ first, series: { label: run.label, style, points } }];
  });
  const [any] = found;
  if (any === undefined) return [];
  return [
    {
      title: 'Downstream: what the fine-tune is for',
      note: `${any.first.metric} on ${any.first.task}, ${direction(any.first)}`,
      series: found.map(({ series }) => series),
      small: false,
    },
  ];
}

function klCharts(runs: readonly History[]): Chart[] {
  const series = runs.map((run, style): Series => {
    const estimates = run.evaluations.flatMap(({ step, kl }) =>
      kl === undefined || kl.mean === null ? [] : [{ step, mean: kl.mean, stderr: kl.stderr ?? 0 }],
    );
    return {
      label: run.label,
      style,
      points: estimates.map(({ step, mean }): [number, number] => [step, mean]),
      spread: estimates.map(({ stderr }) => stderr),
    };
  });
  return [
    {
      title: 'Drift from the base model',
      note: 'KL(base ‖ fine-tuned), nats per sample, ± 1 standard error',
      series: series.filter((line) => line.points.length > 0),
      small: false,
    },
  ];
}

/** One run: the tasks of each metric together. */
function chartsByMetric(runs: readonly History[]): Chart[] {
  const metrics = new Map<string, TaskScore[]>();
  for (const task of taskList(runs)) {
    metrics.set(task.metric, [...(metrics.get(task.metric) ?? []), task]);
  }
  return [...metrics.values()].flatMap((tasks): Chart[] => {
    const [first] = tasks;
    if (first === undefined) return [];
    return [
      {
        title: `Pre-existing tasks: ${first.metric}`,
        note: `change from the base model, ${direction(first)}`,
        series: runs.flatMap((run) =>
          tasks.map((task, style) => changeSeries(run, task, task.task, style)),
        ),
        small: false,
      },
    ];
  });
}

/** Several runs: each task by itself. */
function chartsByTask(runs: readonly History[]): Chart[] {
  return taskList(runs).map((task) => ({
    title: `${task.task}: ${task.metric}`,
    note: `change from the base model, ${direction(task)}`,
    series: runs
      .map((run, style) => changeSeries(run, task, run.label, style))
      .filter((line) => line.points.length > 0),
    small: true,
  }));
}

/** Each task and metric once, in the order of appearance. */
function taskList(runs: readonly History[]): TaskScore[] {
  const seen = new Map<string, TaskScore>();
  for (const { evaluations } of runs) {
    for (const score of evaluations.flatMap((event) => event.tasks)) {
      const key = JSON.stringify([score.task, score.metric]);
      if (!seen.has(key)) seen.set(key, score);
    }
  }
  return [...seen.values()];
}

function changeSeries(run: History, task: TaskScore, label: string, style: number): Series {
  const scores = run.evaluations.flatMap(({ step, tasks }) =>
    tasks
      .filter((score) => score.task === task.task && score.metric === task.metric)
      .map((score) => ({ step, ...score })),
  );
  const base = scores[0]?.score ?? null;
  const points = scores.flatMap(({ step, score, change }): [number, number][] => {
    const fromFirst = score === null || base === null ? null : score - base;
    const value = change ?? fromFirst;
    return value === null ? [] : [[step, value]];
  });
  return { label, style, points };
}

function direction(score: TaskScore): string {
  return score.higherIsBetter ? 'higher is better' : 'lower is better';
}

/** Means over equal stretches, so that a long run is drawn as quickly as a short one. */
function thin(points: [number, number][]): [number, number][] {
  if (points.length <= mostPoints) return points;
  return Array.from({ length: mostPoints }, (_, i) => {
    const from = Math.floor((i * points.length) / mostPoints);
    const to = Math.floor(((i + 1) * points.length) / mostPoints);
    const part = points.slice(from, to);
    const sums = part.reduce(([x, y], [px, py]) => [x + px, y + py] as const, [0, 0] as const);
    return [sums[0] / part.length, sums[1] / part.length];
  });
}
