/**
 * From the curves of runs to what each chart shows, as plain data: which lines, in which style, which
 * way is better. Drawing, hovering, the tables and the CSV all read this.
 */
import {
  direction,
  downstreamPoints,
  lossParts,
  lossPoints,
  taskKey,
  taskList,
  taskPoints,
  type RunCurves,
  type ScorePoint,
} from '../../../src/protocol/curveData.js';
import { unitName, unitOf } from '../../../src/protocol/metrics.js';
import type { TaskScore } from '../../../src/protocol/records.js';

export interface CurvesRun extends RunCurves {
  id: string;
  label: string;
  /** The method's label. */
  method: string;
  /** Place in the palette; it stays the same while the run is shown. */
  style: number;
}

export type Measure = 'score' | 'change';

/** Losses have no items; all else is as in `ScorePoint`. */
export type Point = Omit<ScorePoint, 'n'> & { n: number | null };

/** Numbers of the palette: colour, dash and point shape each by itself. */
export interface LineStyle {
  color: number;
  dash: number;
  point: number;
}

export interface Line {
  label: string;
  run: string;
  method: string;
  task: string;
  metric: string;
  style: LineStyle;
  points: Point[];
  /** The legend entries that hide it. */
  entries: string[];
}

export interface LegendEntry {
  key: string;
  label: string;
  /** What the entry stands for; a run among tasks is recognised by its dash alone. */
  sample: Partial<LineStyle>;
}

export interface ChartSpec {
  id: string;
  title: string;
  /** What is measured, and which way is good. */
  note: string;
  /** What the y axis is called. */
  yLabel: string;
  measure: Measure;
  higherIsBetter: boolean;
  /** Whether it is drawn with a log scale when asked; needs values above 0. */
  canBeLog: boolean;
  /** Whether it is a measurement of every step, to be smoothed and drawn without points. */
  dense: boolean;
  lines: Line[];
  legend: LegendEntry[];
}

export interface ChartOptions {
  measure: Measure;
  /** Keys of tasks that are not to be drawn. */
  leftOut: ReadonlySet<string>;
}

export function buildSpecs(runs: readonly CurvesRun[], options: ChartOptions): ChartSpec[] {
  const specs = [
    ...taskSpecs(runs, options),
    downstreamSpec(runs),
    ...lossSpecs(runs),
    klSpec(runs),
  ];
  return specs.filter(({ lines }) => lines.some(({ points }) => points.length > 0));
}

/** Pre-existing tasks: one chart for each unit, since different units do not share an axis. */
function taskSpecs(runs: readonly CurvesRun[], { measure, leftOut }: ChartOptions): ChartSpec[] {
  const groups = new Map<string, { task: TaskScore; color: number }[]>();
  taskList(runs).forEach((task, color) => {
    if (leftOut.has(taskKey(task))) return;
    const group = JSON.stringify([unitOf(task.metric), task.higherIsBetter]);
    groups.set(group, [...(groups.get(group) ?? []), { task, color }]);
  });
  // The chart of most tasks first.
  const byCount = [...groups.values()].sort((a, b) => b.length - a.length);
  return byCount.flatMap((members): ChartSpec[] => {
    const [first] = members;
    if (first === undefined) return [];
    const { higherIsBetter, metric } = first.task;
    const unit = unitOf(metric);
    const worse = higherIsBetter ? 'a fall is forgetting' : 'a rise is forgetting';
    return [
      {
        id: `tasks-${unit}`,
        title: `Pre-existing tasks: ${unitName(unit)}`,
        note:
          measure === 'change'
            ? `change from the base model; ${worse}, and is drawn downward`
            : `score, ${direction(first.task)}`,
        yLabel: measure === 'change' ? `change in ${unitName(unit)}` : unitName(unit),
        measure,
        higherIsBetter,
        canBeLog: false,
        dense: false,
        ...taskLines(runs, members),
      },
    ];
  });
}

/** A task is a colour and a shape; a dash is the task too while there is one run, else the run. */
function taskLines(
  runs: readonly CurvesRun[],
  members: readonly { task: TaskScore; color: number }[],
): Pick<ChartSpec, 'lines' | 'legend'> {
  const several = runs.length > 1;
  const metrics = new Set(members.map(({ task }) => task.metric));
  const names = members.map(({ task }) => task.task);
  const nameOf = ({ task, metric }: TaskScore): string =>
    metrics.size > 1 && names.filter((name) => name === task).length > 1
      ? `${task} (${metric})`
      : task;
  const lines = runs.flatMap((run) =>
    members.map(({ task, color }): Line => {
      const key = taskKey(task);
      return {
        ...ofRun(run),
        label: several ? `${nameOf(task)}, ${run.label}` : nameOf(task),
        task: task.task,
        metric: task.metric,
        style: { color, dash: several ? run.style : color, point: color },
        points: taskPoints(run, key),
        entries: several ? [key, run.id] : [key],
      };
    }),
  );
  const tasks = members.map(({ task, color }) => ({
    key: taskKey(task),
    label: nameOf(task),
    sample: { color, point: color, ...(several ? {} : { dash: color }) },
  }));
  const ofRuns = runs.map(({ id, label, style }) => ({ key: id, label, sample: { dash: style } }));
  return {
    lines: lines.filter(({ points }) => points.length > 0),
    legend: several ? [...tasks, ...ofRuns] : tasks,
  };
}

function downstreamSpec(runs: readonly CurvesRun[]): ChartSpec {
  const [any] = runs.flatMap(({ evaluations }) =>
    evaluations.flatMap(({ downstream }) => downstream ?? []),
  );
  const better = direction({ higherIsBetter: any?.higherIsBetter ?? false });
  return {
    id: 'downstream',
    title: 'Downstream score: the new task',
    note: `on held-out rows of your dataset, ${better}`,
    yLabel: unitName(unitOf(any?.metric ?? '')),
    measure: 'score',
    higherIsBetter: any?.higherIsBetter ?? false,
    canBeLog: true,
    dense: false,
    ...runLines(runs, any?.task ?? '', any?.metric ?? '', downstreamPoints),
  };
}

function lossSpecs(runs: readonly CurvesRun[]): ChartSpec[] {
  const chart = {
    note: 'the training objective, lower is better',
    yLabel: 'nats per token',
    measure: 'score',
    higherIsBetter: false,
    canBeLog: true,
    dense: true,
  } as const;
  const [only] = runs;
  if (runs.length === 1 && only !== undefined) {
    const lines = lossParts(runs).map((part, i): Line => ({
      ...ofRun(only),
      label: part.label,
      task: 'training',
      metric: part.key,
      style: { color: i, dash: i, point: i },
      points: asPoints(lossPoints(only, part)),
      entries: [part.key],
    }));
    const [total, ...parts] = lines.filter(({ points }) => points.length > 0);
    // With one source the total is its loss: one line says it.
    const shown = total === undefined ? [] : parts.length > 1 ? [total, ...parts] : [total];
    const legend = shown.map(({ label, style, metric }) => ({ key: metric, label, sample: style }));
    return [{ ...chart, id: 'loss', title: 'Training loss', lines: shown, legend }];
  }
  const [, ...ofSources] = lossParts(runs);
  return ofSources.map((part) => ({
    ...chart,
    id: part.key,
    title: `Training loss: ${part.label}`,
    ...runLines(runs, 'training', part.key, (run) => asPoints(lossPoints(run, part))),
  }));
}

function klSpec(runs: readonly CurvesRun[]): ChartSpec {
  const points = (run: CurvesRun): Point[] =>
    run.kl.map(({ step, mean, stderr, samples }) => ({
      step,
      score: mean,
      stderr,
      n: samples,
      change: null,
    }));
  return {
    id: 'kl',
    title: 'Drift from the base model',
    note: 'estimated KL(base ‖ fine-tuned) on context-free samples; 0 means no drift',
    yLabel: 'nats per sample',
    measure: 'score',
    higherIsBetter: false,
    canBeLog: false,
    dense: false,
    ...runLines(runs, 'context-free samples', 'kl', points),
  };
}

/** One line for each run, all of it in the run's style. */
function runLines(
  runs: readonly CurvesRun[],
  task: string,
  metric: string,
  pointsOf: (run: CurvesRun) => Point[],
): Pick<ChartSpec, 'lines' | 'legend'> {
  const lines = runs.map((run): Line => {
    const style = { color: run.style, dash: run.style, point: run.style };
    const points = pointsOf(run);
    return { ...ofRun(run), label: run.label, task, metric, style, points, entries: [run.id] };
  });
  const shown = lines.filter(({ points }) => points.length > 0);
  const legend = shown.map(({ entries, label, style }) => ({
    key: entries.join(),
    label,
    sample: style,
  }));
  return { lines: shown, legend };
}

function ofRun({ label, method }: CurvesRun): Pick<Line, 'run' | 'method'> {
  return { run: label, method };
}

function asPoints(points: readonly [number, number][]): Point[] {
  return points.map(([step, score]) => ({ step, score, stderr: null, n: null, change: null }));
}
