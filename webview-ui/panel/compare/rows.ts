/** The numbers of runs side by side, as rows: what a table needs to know, and nothing of how it looks. */
import { taskKey } from '../../../src/protocol/curveData.js';
import {
  formatChange,
  formatNumber,
  formatSeconds,
  width95,
} from '../../../src/protocol/format.js';
import { methodLabel } from '../../../src/methods/index.js';
import { unitName, unitOf } from '../../../src/protocol/metrics.js';
import { outcomeOf, type Outcome } from '../../../src/protocol/outcome.js';
import type { ComparisonData } from '../../../src/protocol/panel.js';
import type { RunResults, TaskResult } from '../../../src/protocol/records.js';
import { stateWords } from '../../../src/protocol/runWords.js';

export interface ScoreCell {
  result: TaskResult;
  outcome: Outcome;
  /** No other run ended better, and one ended worse. */
  best: boolean;
}

export interface ScoreRow {
  key: string;
  task: string;
  metric: string;
  unit: string;
  higherIsBetter: boolean;
  isDownstream: boolean;
  /** One for each run; undefined where the run has no such score. */
  cells: (ScoreCell | undefined)[];
}

/** The downstream score first: it is what the runs are for. */
export function scoreRows(results: readonly (RunResults | undefined)[]): ScoreRow[] {
  const all = results.map((each) =>
    each === undefined ? [] : [...(each.downstream ? [each.downstream] : []), ...each.tasks],
  );
  const downstream = new Set(results.flatMap((each) => each?.downstream ?? []).map(taskKey));
  const firsts = new Map<string, TaskResult>();
  for (const result of all.flat()) {
    if (!firsts.has(taskKey(result))) firsts.set(taskKey(result), result);
  }
  const rows = [...firsts].map(([key, { task, metric, higherIsBetter }]): ScoreRow => {
    const own = all.map((list) => list.find((result) => taskKey(result) === key));
    const finals = own.flatMap((result) => result?.final.score ?? []);
    const best = higherIsBetter ? Math.max(...finals) : Math.min(...finals);
    const differ = finals.some((score) => score !== best);
    const cells = own.map(
      (result) =>
        result && {
          result,
          outcome: outcomeOf(result),
          best: differ && result.final.score === best,
        },
    );
    const unit = unitOf(metric);
    return { key, task, metric, unit, higherIsBetter, isDownstream: downstream.has(key), cells };
  });
  return rows.sort((a, b) => Number(b.isDownstream) - Number(a.isDownstream));
}

export interface FactRow {
  name: string;
  values: string[];
}

/** What else there is to say of each run; rows that no run has a value for are left out. */
export function factRows({ runs }: ComparisonData): FactRow[] {
  const row = (
    name: string,
    value: (run: ComparisonData['runs'][number]) => string | undefined,
  ): FactRow => ({ name, values: runs.map((run) => value(run) ?? '–') });
  const units = [
    ...new Set(runs.flatMap(({ results }) => results?.forgetting.map(({ unit }) => unit) ?? [])),
  ];
  const rows = [
    row('Method', ({ info }) => info.method && methodLabel(info.method)),
    row('State', ({ info }) => stateWords[info.state]),
    row('Steps', ({ info, results }) =>
      results ? stepsOf(results) : info.step > 0 ? String(info.step) : undefined,
    ),
    ...units.flatMap((unit) => [
      row(`Mean forgetting, ${unitName(unit)}`, ({ results }) => {
        const found = results?.forgetting.find((each) => each.unit === unit);
        return (
          found && `${formatNumber(found.averageForgetting, 3)} (${countOf(found.tasks, 'task')})`
        );
      }),
      row(`Most forgotten, ${unitName(unit)}`, ({ results }) => {
        const worst = results?.forgetting.find((each) => each.unit === unit)?.worst;
        return worst && `${worst.task} (${formatNumber(worst.forgetting, 3)})`;
      }),
    ]),
    row('Drift from the base model (KL), nats per sample, ± 95 %', ({ results }) => {
      const kl = results?.kl;
      if (kl === undefined) return undefined;
      const half = kl.stderr === null ? null : width95 * kl.stderr;
      return `${formatNumber(kl.mean, 3)} ± ${formatNumber(half, 2)}`;
    }),
    row('Time', ({ info: { secondsWorked } }) =>
      secondsWorked === 0 ? undefined : formatSeconds(secondsWorked),
    ),
  ];
  return rows.filter(({ values }) => values.some((value) => value !== '–'));
}

function countOf(n: number, what: string): string {
  return `${n} ${n === 1 ? what : `${what}s`}`;
}

function stepsOf({ steps, savedStep }: RunResults): string {
  return steps === savedStep ? String(steps) : `${steps}, saved from step ${savedStep}`;
}

/** `0.933 → 0.925` */
export function fromTo({ base, final }: TaskResult): string {
  return `${formatNumber(base.score)} → ${formatNumber(final.score)}`;
}

/** `−0.008 [−0.025, 0]` */
export function changeWithInterval({ change, interval }: TaskResult): string {
  const range = interval ? ` [${formatChange(interval[0])}, ${formatChange(interval[1])}]` : '';
  return `${formatChange(change)}${range}`;
}

export interface ItemTask {
  key: string;
  task: string;
  metric: string;
}

/** Tasks whose items are right or wrong, so that examples can be read. */
export function itemTasks(results: readonly (RunResults | undefined)[]): ItemTask[] {
  const found = new Map<string, ItemTask>();
  for (const result of results.flatMap((each) => each?.tasks ?? [])) {
    const { task, metric, rightToWrong } = result;
    if (rightToWrong !== undefined)
      found.set(taskKey(result), { key: taskKey(result), task, metric });
  }
  return [...found.values()];
}
