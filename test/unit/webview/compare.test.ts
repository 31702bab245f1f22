import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../../src/protocol/outcome.js';
import type { RunResults, TaskResult } from '../../../src/protocol/records.js';
import { changeGroups, dotsOf } from '../../../webview-ui/panel/compare/changeChart.js';
import {
  changeWithInterval,
  factRows,
  fromTo,
  itemTasks,
  scoreRows,
} from '../../../webview-ui/panel/compare/rows.js';
import { runInfo } from '../../support/runInfo.js';
import { madeUpResults } from '../runs/madeUpRun.js';

const facts: TaskResult = {
  task: 'facts',
  metric: 'acc',
  higherIsBetter: true,
  n: 120,
  base: { score: 0.9, stderr: 0.02 },
  final: { score: 0.8, stderr: 0.02 },
  change: -0.1,
  interval: [-0.15, -0.05],
};
const of = (...tasks: TaskResult[]): RunResults => ({
  ...madeUpResults('cfs'),
  downstream: undefined,
  tasks,
});

describe('outcomeOf', () => {
  it('judges only what the interval tells from no change', () => {
    expect(outcomeOf(facts)).toBe('worse');
    expect(outcomeOf({ ...facts, higherIsBetter: false })).toBe('better');
    expect(outcomeOf({ ...facts, interval: [-0.15, 0] })).toBe('unclear');
    expect(outcomeOf({ ...facts, interval: undefined })).toBe('unclear');
  });
});

describe('scoreRows', () => {
  it('marks the best of a row, by its direction, and no one where all are equal', () => {
    const lower = { ...facts, final: { score: 0.7, stderr: 0.02 } };
    const best = (a: TaskResult, b: TaskResult) =>
      scoreRows([of(a), of(b)])[0]?.cells.map((cell) => cell?.best);
    expect(best(facts, lower)).toEqual([true, false]);
    const flip = (task: TaskResult): TaskResult => ({ ...task, higherIsBetter: false });
    expect(best(flip(facts), flip(lower))).toEqual([false, true]);
    expect(best(facts, facts)).toEqual([false, false]);
  });

  it('has a gap where a run lacks a task or results', () => {
    const other = { ...facts, task: 'sums' };
    const rows = scoreRows([of(facts), undefined, of(other)]);
    expect(rows.map(({ task, cells }) => [task, cells.map(Boolean)])).toEqual([
      ['facts', [true, false, false]],
      ['sums', [false, false, true]],
    ]);
  });

  it('puts the downstream score first', () => {
    const [first] = scoreRows([madeUpResults('cfs'), madeUpResults('sft')]);
    expect(first?.isDownstream).toBe(true);
    expect(first?.task).toBe('poems');
  });
});

describe('texts', () => {
  it('reads from base to final, and the change with its interval', () => {
    expect(fromTo(facts)).toBe('0.9 → 0.8');
    expect(changeWithInterval(facts)).toBe('−0.1 [−0.15, −0.05]');
    expect(changeWithInterval({ ...facts, interval: undefined })).toBe('−0.1');
  });
});

describe('factRows', () => {
  it('leaves out what no run has, and marks what one lacks', () => {
    const runs = [
      { info: runInfo({ id: 'a' }), results: madeUpResults('cfs') },
      { info: runInfo({ id: 'b', state: 'running', method: 'sft', step: 0, secondsWorked: 0 }) },
    ];
    const rows = new Map(
      factRows({ runs, settings: [] }).map(({ name, values }) => [name, values]),
    );
    expect(rows.get('Method')).toEqual(['CFS', 'Standard']);
    expect(rows.get('State')).toEqual(['Finished', 'Running']);
    expect(rows.get('Time')).toEqual(['4 min 0 s', '–']);
    const [, only] = runs;
    const names = only ? factRows({ runs: [only], settings: [] }).map(({ name }) => name) : [];
    expect(names).toEqual(['Method', 'State']);
  });
});

describe('the chart of changes', () => {
  it('groups tasks by unit, without the downstream score, and keeps runs side by side', () => {
    const perplexity = {
      ...facts,
      task: 'text',
      metric: 'token_perplexity',
      higherIsBetter: false,
    };
    const rows = scoreRows([madeUpResults('cfs'), of(facts, perplexity)]);
    const groups = changeGroups(rows);
    expect(groups.map(({ id, rows: own }) => [id, own.length])).toEqual([
      ['change-fraction-up', 5],
      ['change-perplexity-down', 1],
    ]);
    const [fractions] = groups;
    const dots = fractions ? dotsOf(fractions, 2) : [];
    expect(dots.map((own) => own.length)).toEqual([5, 1]);
    const [row] = dots[1] ?? [];
    const twin = dots[0]?.find(({ y }) => Math.round(y) === Math.round(row?.y ?? NaN));
    expect(twin?.y).toBeLessThan(row?.y ?? NaN);
  });

  it('leaves out a row whose change nobody knows', () => {
    expect(changeGroups(scoreRows([of({ ...facts, change: null })]))).toEqual([]);
  });
});

describe('itemTasks', () => {
  it('names tasks with right and wrong answers once', () => {
    const withItems = { ...facts, rightToWrong: 3, wrongToRight: 0 };
    const tasks = itemTasks([of(withItems, { ...facts, task: 'text' }), undefined, of(withItems)]);
    expect(tasks.map(({ task }) => task)).toEqual(['facts']);
  });
});
