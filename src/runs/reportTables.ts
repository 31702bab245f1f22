/**
 * The tables of a report: scores before and after with their intervals, settings, times.
 */
import { formatChange, formatNumber, formatSeconds } from '../protocol/format.js';
import { timeWorked } from '../protocol/history.js';
import { outcomeOf, type Outcome } from '../protocol/outcome.js';
import { phases, type RunEvent, type RunResults, type TaskResult } from '../protocol/records.js';
import type { RunConfig } from './configSchema.js';
import { escapeHtml } from './html.js';
import { own } from '../own.js';

/** What the tables need of a run. */
export interface TableRun {
  label: string;
  config: RunConfig;
  events: readonly RunEvent[];
  results?: RunResults;
}

/** Base → final per task: one group of columns per run, and the intervals drawn side by side. */
export function renderScores(runs: readonly TableRun[]): string {
  const finished = runs.flatMap(({ label, results }, style) =>
    results === undefined ? [] : [{ label, style, scores: scoresOf(results) }],
  );
  const keys = new Map<string, TaskResult>();
  for (const score of finished.flatMap(({ scores }) => scores)) {
    if (!keys.has(keyOf(score))) keys.set(keyOf(score), score);
  }
  if (keys.size === 0) return '';
  const rows = [...keys].map(([key, first]) => {
    const perRun = finished.map(({ style, scores }) => ({
      style,
      score: scores.find((score) => keyOf(score) === key),
    }));
    const all = finished.flatMap(({ scores }) => scores);
    return `<tr><th scope="row">${escapeHtml(first.task)}</th>
<td>${escapeHtml(first.metric)}</td><td class="number">${first.n}</td>
<td class="number">${estimateCell(first.base)}</td>
<td>${drawIntervals(perRun, reach(all, first.metric))}</td>
${perRun.map(({ score }) => scoreCells(score)).join('')}</tr>`;
  });
  const many = finished.length > 1;
  const heads = finished.map(
    ({
      label,
      style,
    }) => `<th class="number">${many ? key(style) + escapeHtml(label) : 'Final'}</th>
<th class="number">Change</th><th class="number">Lost / gained</th>`,
  );
  return `<h2>Scores before and after</h2>
<p class="muted">± one standard error; change with its 95 % bootstrap interval; lost and gained: items
 answered correctly only before, and only after. A change is coloured where its interval excludes
 0.</p>
<div class="panel"><table><thead><tr><th>Task</th><th>Metric</th><th class="number">Items</th>
<th class="number">Base</th><th>worse ← change → better</th>${heads.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** All settings as dotted names; those in which runs differ stand out. */
export function renderSettings(runs: readonly TableRun[]): string {
  const columns = runs.map(({ config }) => new Map(flatten(config)));
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const rows = names.map((name) => {
    const values = columns.map((column) => column.get(name) ?? '–');
    const differs = values.some((value) => value !== values[0]);
    const cells = values.map((value) => `<td class="wrap">${escapeHtml(value)}</td>`);
    const row = differs ? '<tr class="differs">' : '<tr>';
    return `${row}<th scope="row">${escapeHtml(name)}</th>${cells.join('')}</tr>`;
  });
  return `<details><summary>Settings</summary><div class="panel"><table>
${columnHeads(runs)}<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

export function renderTimings(runs: readonly TableRun[]): string {
  const finished = runs.filter(({ results }) => results !== undefined);
  if (finished.length === 0) return '';
  const times = finished.map(({ events }) => timeWorked(events));
  const names = [...phases, 'total'].filter((name) =>
    times.some((time) => own(time, name) !== undefined),
  );
  const rows = names.map((name) => {
    const cells = times.map((time) => {
      const seconds = own(time, name);
      return `<td>${seconds === undefined ? '–' : formatSeconds(seconds)}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(name)}</th>${cells.join('')}</tr>`;
  });
  const versions = finished.map(({ results }) => {
    const list = Object.entries(results?.versions ?? {}).map(([name, value]) => `${name} ${value}`);
    return `<td class="wrap">${escapeHtml([results?.provider, ...list].join(', '))}</td>`;
  });
  return `<h2>Time</h2><div class="panel"><table>${columnHeads(finished)}<tbody>${rows.join('\n')}
<tr><th scope="row">software</th>${versions.join('')}</tr></tbody></table></div>`;
}

/** A coloured square naming a run's lines. */
export function key(style: number): string {
  return `<svg class="key s${style % 6}" viewBox="0 0 12 12" aria-hidden="true"><rect
 width="12" height="12" rx="3"/></svg>`;
}

function columnHeads(runs: readonly TableRun[]): string {
  if (runs.length < 2) return '';
  const heads = runs.map(({ label }, style) => `<th>${key(style)}${escapeHtml(label)}</th>`);
  return `<thead><tr><th></th>${heads.join('')}</tr></thead>`;
}

/** The downstream score first: it is what the run was for. */
function scoresOf({ downstream, tasks }: RunResults): TaskResult[] {
  return downstream === undefined ? tasks : [downstream, ...tasks];
}

function keyOf({ task, metric }: TaskResult): string {
  return JSON.stringify([task, metric]);
}

function estimateCell({ score, stderr }: TaskResult['base']): string {
  const error = stderr === null ? '' : ` <small>± ${formatNumber(stderr, 2)}</small>`;
  return `${formatNumber(score)}${error}`;
}

function scoreCells(score: TaskResult | undefined): string {
  if (score === undefined) return '<td class="number">–</td>'.repeat(3);
  const { final, change, interval, rightToWrong, wrongToRight } = score;
  const range =
    interval === undefined
      ? ''
      : `<br><small>[${formatChange(interval[0])}, ${formatChange(interval[1])}]</small>`;
  const moved = rightToWrong === undefined ? '–' : `${rightToWrong} / ${wrongToRight ?? '–'}`;
  return `<td class="number">${estimateCell(final)}</td>
<td class="number"><span class="${outcomeClass[outcomeOf(score)]}">${formatChange(change)}</span>${range}</td>
<td class="number">${moved}</td>`;
}

const outcomeClass: Record<Outcome, string> = { better: 'good', worse: 'bad', unclear: '' };

/** The largest change of a metric, which its drawings share as their scale. */
function reach(scores: readonly TaskResult[], metric: string): number {
  const sizes = scores
    .filter((score) => score.metric === metric)
    .flatMap(({ change, interval }) => [change ?? 0, ...(interval ?? [])].map(Math.abs));
  return Math.max(...sizes) || 1;
}

/** Dots with whiskers around a zero line, better to the right, one below the other per run. */
function drawIntervals(
  runs: readonly { style: number; score: TaskResult | undefined }[],
  scale: number,
): string {
  const height = runs.length * 14 + 4;
  const marks = runs.map(({ style, score }, row) => {
    if (score === undefined || score.change === null) return '';
    const better = score.higherIsBetter ? 1 : -1;
    const x = (value: number): string => (60 + (better * value * 54) / scale).toFixed(1);
    const y = row * 14 + 9;
    const [low, high] = score.interval ?? [score.change, score.change];
    return `<g class="s${style % 6}"><line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}"
 stroke-width="2"/><circle cx="${x(score.change)}" cy="${y}" r="3.5"/></g>`;
  });
  return `<svg class="interval" viewBox="0 0 120 ${height}" height="${height}" aria-hidden="true">
<line class="zero" x1="60" x2="60" y1="0" y2="${height}"/>${marks.join('')}</svg>`;
}

function flatten(value: unknown, prefix = ''): [string, string][] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length === 0) return [[prefix, 'none']];
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, part]) =>
      flatten(part, prefix === '' ? name : `${prefix}.${name}`),
    );
  }
  return [[prefix, typeof value === 'string' ? value : JSON.stringify(value)]];
}
