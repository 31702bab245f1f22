/**
 * The curves of a report, as plain data that the page script hands to Chart.js. One run: its losses
 * together, and all tasks of a metric together. Several runs: one chart per quantity, with a line
 * per run, because that is what is compared.
 */
import {
  direction,
  downstreamPoints,
  lossParts,
  lossPoints,
  runCurves,
  taskKey,
  taskList,
  taskPoints,
  type LossPart,
  type RunCurves,
} from '../protocol/curveData.js';
import type { RunEvent, TaskScore } from '../protocol/records.js';

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
  const histories = runs.map(({ label, events }) => ({ label, ...runCurves(events) }));
  const charts = [
    ...lossCharts(histories),
    ...downstreamCharts(histories),
    ...(histories.length === 1 ? chartsByMetric(histories) : chartsByTask(histories)),
    ...klCharts(histories),
  ];
  return charts.filter((chart) => chart.series.length > 0);
}

interface History extends RunCurves {
  label: string;
}

function lossCharts(runs: readonly History[]): Chart[] {
  const [only] = runs;
  if (runs.length === 1 && only !== undefined) {
    const lines = lossParts(runs).map((part, style) => lossSeries(only, part, part.label, style));
    const [total, ...rest] = lines.filter((line) => line.points.length > 0);
    // With one source the total is its loss: one line says it.
    const series = total === undefined ? [] : rest.length > 1 ? [total, ...rest] : [total];
    return [{ title: 'Training loss', note: 'nats per token', series, small: false }];
  }
  const [, ...ofSources] = lossParts(runs);
  return ofSources.map((part) => ({
    title: `Training loss: ${part.label}`,
    note: 'nats per token',
    series: runs
      .map((run, style) => lossSeries(run, part, run.label, style))
      .filter((line) => line.points.length > 0),
    small: false,
  }));
}

function lossSeries(run: History, part: LossPart, label: string, style: number): Series {
  return { label, style, points: thin(lossPoints(run, part)) };
}

function downstreamCharts(runs: readonly History[]): Chart[] {
  const [any] = runs.flatMap(({ evaluations }) =>
    evaluations.flatMap(({ downstream }) => downstream ?? []),
  );
  if (any === undefined) return [];
  const series = runs.map((run, style): Series => {
    const points = downstreamPoints(run).flatMap(({ step, score }): [number, number][] =>
      score === null ? [] : [[step, score]],
    );
    return { label: run.label, style, points };
  });
  return [
    {
      title: 'Downstream score: the new task',
      note: `${any.metric} on ${any.task}, ${direction(any)}`,
      series: series.filter((line) => line.points.length > 0),
      small: false,
    },
  ];
}

function klCharts(runs: readonly History[]): Chart[] {
  const series = runs.map((run, style): Series => {
    return {
      label: run.label,
      style,
      points: run.kl.map(({ step, mean }): [number, number] => [step, mean]),
      spread: run.kl.map(({ stderr }) => stderr ?? 0),
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

function changeSeries(run: History, task: TaskScore, label: string, style: number): Series {
  const points = taskPoints(run, taskKey(task)).flatMap(({ step, change }): [number, number][] =>
    change === null ? [] : [[step, change]],
  );
  return { label, style, points };
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
