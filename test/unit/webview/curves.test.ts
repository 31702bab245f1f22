import { describe, expect, it } from 'vitest';
import { runCurves } from '../../../src/protocol/curveData.js';
import type { TaskResult } from '../../../src/protocol/records.js';
import { toCsv } from '../../../webview-ui/panel/curves/csv.js';
import { scatterGroups } from '../../../webview-ui/panel/curves/scatter.js';
import { buildSpecs, type CurvesRun, type Line } from '../../../webview-ui/panel/curves/series.js';
import { hiddenIn, restoreState, toggled } from '../../../webview-ui/panel/curves/state.js';
import {
  describePoint,
  drawnPoints,
  shownLines,
  smooth,
  summarize,
  tabulate,
} from '../../../webview-ui/panel/curves/values.js';
import { createWatcher } from '../../../webview-ui/panel/curves/watch.js';
import type { PanelRpc } from '../../../webview-ui/panel/page.js';
import { runInfo } from '../../support/runInfo.js';
import { madeUpEvents, madeUpResults } from '../runs/madeUpRun.js';

const run = (id: string, method: string, style: number): CurvesRun => ({
  ...runCurves(madeUpEvents(method)),
  id,
  label: id,
  method,
  style,
});
const all = { measure: 'change', leftOut: new Set<string>() } as const;
const styleOf = ({ style }: Line): string => JSON.stringify(style);

function specOf(id: string, runs: readonly CurvesRun[] = [run('a', 'cfs', 0)]) {
  const spec = buildSpecs(runs, all).find((each) => each.id === id);
  if (spec === undefined) throw new Error(`no chart ${id}`);
  return spec;
}

describe('buildSpecs', () => {
  it('draws tasks, downstream, loss and drift of one run', () => {
    const specs = buildSpecs([run('a', 'cfs', 0)], all);
    expect(specs.map(({ id, lines }) => [id, lines.length])).toEqual([
      ['tasks-fraction', 5],
      ['downstream', 1],
      ['loss', 3],
      ['kl', 1],
    ]);
  });

  it('shows one loss where there is one kind of row', () => {
    expect(specOf('loss', [run('a', 'sft', 0)]).lines.map(({ label }) => label)).toEqual(['total']);
  });

  it('gives a task its colour in every run and a run its dash in every task', () => {
    const { lines, legend } = specOf('tasks-fraction', [run('a', 'cfs', 0), run('b', 'sft', 1)]);
    expect(lines).toHaveLength(10);
    expect(new Set(lines.map(styleOf)).size).toBe(10);
    for (const line of lines) {
      expect(line.style.dash).toBe(line.run === 'a' ? 0 : 1);
      const twin = lines.find((each) => each.task === line.task && each.run !== line.run);
      expect(twin?.style.color).toBe(line.style.color);
    }
    expect(legend.map(({ label }) => label).slice(5)).toEqual(['a', 'b']);
  });

  it('tells the lines of a single run apart by dash too', () => {
    const dashes = specOf('tasks-fraction').lines.map(({ style }) => style.dash);
    expect(new Set(dashes).size).toBe(5);
  });

  it('keeps units and directions apart', () => {
    const events = madeUpEvents('cfs').map((event) =>
      event.type === 'evaluation'
        ? {
            ...event,
            tasks: event.tasks.map((task, i) =>
              i === 0 ? { ...task, metric: 'token_perplexity', higherIsBetter: false } : task,
            ),
          }
        : event,
    );
    const mixed = { ...run('a', 'cfs', 0), ...runCurves(events) };
    const specs = buildSpecs([mixed], all).filter(({ id }) => id.startsWith('tasks'));
    expect(specs.map(({ id, lines }) => [id, lines.length])).toEqual([
      ['tasks-fraction', 4],
      ['tasks-perplexity', 1],
    ]);
    expect(specs[1]?.note).toContain('a rise is forgetting');
  });

  it('leaves out tasks, whose colours stay free', () => {
    const key = JSON.stringify(['stories', 'acc']);
    const [spec] = buildSpecs([run('a', 'cfs', 0)], { ...all, leftOut: new Set([key]) });
    expect(spec?.lines.map(({ task }) => task)).not.toContain('stories');
    expect(spec?.lines[0]?.style.color).toBe(1);
  });
});

describe('smooth', () => {
  it('changes nothing at 0 and a constant never', () => {
    expect(smooth([3, 1, 2], 0)).toEqual([3, 1, 2]);
    for (const value of smooth([5, 5, 5, 5], 0.9)) expect(value).toBeCloseTo(5, 12);
  });

  it('is the weighted mean of what came before', () => {
    const [, second, third] = smooth([1, 2, 4], 0.5);
    expect(second).toBeCloseTo((1 * 0.5 + 2) / 1.5, 12);
    expect(third).toBeCloseTo((1 * 0.25 + 2 * 0.5 + 4) / 1.75, 12);
  });
});

describe('values', () => {
  const point = { step: 10, score: 0.875, stderr: 0.05, n: 40, change: -0.05 };

  it('gives scores their interval and changes none', () => {
    const line = { ...specOf('kl').lines[0], points: [point] } as Line;
    const [score] = drawnPoints(line, { measure: 'score' });
    expect(score?.low).toBeCloseTo(0.875 - 0.098, 12);
    expect(score?.high).toBeCloseTo(0.875 + 0.098, 12);
    expect(drawnPoints(line, { measure: 'change' })).toEqual([{ x: 10, y: -0.05, point }]);
  });

  it('describes a point', () => {
    expect(describePoint(point)).toBe('0.875 ± 0.098 (40 items), change −0.05');
    expect(describePoint({ ...point, stderr: null, n: null, change: null })).toBe('0.875');
  });

  it('hides lines by task and by run', () => {
    const spec = specOf('tasks-fraction', [run('a', 'cfs', 0), run('b', 'sft', 1)]);
    expect(shownLines(spec, new Set(['b']))).toHaveLength(5);
    expect(shownLines(spec, new Set(['b', JSON.stringify(['facts', 'acc'])]))).toHaveLength(4);
    expect(summarize(spec, new Set(['a', 'b']))).toContain('All lines are hidden.');
  });

  it('tabulates long runs in few rows, first and last among them', () => {
    const table = tabulate(specOf('loss'), new Set());
    expect(table.columns).toHaveLength(3);
    expect(table.rows.length + table.leftOut).toBe(600);
    expect(table.rows.length).toBeLessThanOrEqual(100);
    expect([table.rows[0]?.step, table.rows.at(-1)?.step]).toEqual([1, 600]);
  });
});

describe('toCsv', () => {
  it('writes a line for each point, what is unknown empty, and quotes', () => {
    const line = {
      ...specOf('kl').lines[0],
      run: 'a "b", c',
      task: '=1+1',
      points: [{ step: 5, score: -0.5, stderr: null, n: 3, change: null }],
    } as Line;
    expect(toCsv([{ lines: [line] }])).toBe(
      'run,method,step,task,metric,score,stderr,n,change\r\n' +
        `"a ""b"", c",cfs,5,'=1+1,kl,-0.5,,3,\r\n`,
    );
  });
});

describe('scatterGroups', () => {
  const finished = (id: string, method: string, datasets = ['/data/poems.jsonl']) => ({
    info: runInfo({ id, method, datasets }),
    label: id,
    results: madeUpResults(method),
  });

  it('sets what was won beside what was kept', () => {
    const [group, ...others] = scatterGroups([finished('a', 'cfs'), finished('b', 'sft')]);
    expect(others).toEqual([]);
    expect(group?.label).toBe('poems.jsonl on base');
    const [a, b] = group?.units[0]?.points ?? [];
    expect([a?.x, b?.x]).toEqual([1.5, 1.5]);
    expect(a?.y).toBeCloseTo(-0.15 * 0.228, 12);
    expect(b?.y).toBeCloseTo(-0.228, 12);
  });

  it('does not compare runs on different datasets, nor runs without a downstream score', () => {
    const without = finished('c', 'cfs');
    const groups = scatterGroups([
      finished('a', 'cfs'),
      finished('b', 'cfs', ['C:\\data\\songs.csv']),
      {
        ...without,
        results: { ...without.results, downstream: undefined as TaskResult | undefined },
      },
    ]);
    expect(groups.map(({ label, runs }) => [label, runs])).toEqual([
      ['poems.jsonl on base', 1],
      ['songs.csv on base', 1],
    ]);
  });
});

describe('state', () => {
  it('falls back to its defaults where what is remembered does not fit', () => {
    expect(restoreState({ smoothing: 7 })).toEqual(restoreState(undefined));
    expect(restoreState(undefined).measure).toBe('change');
  });

  it('knows the hidden entries of one chart', () => {
    const state = { ...restoreState(undefined), hidden: ['kl/a', 'loss/b/c', 'loss/d'] };
    expect([...hiddenIn(state, 'loss')]).toEqual(['b/c', 'd']);
    expect(toggled(toggled([], 'a'), 'a')).toEqual([]);
  });
});

describe('createWatcher', () => {
  it('asks once for the same runs, again after a failure, and drops runs it no longer follows', async () => {
    const asked: unknown[] = [];
    let fails = true;
    const request = (_: string, params: unknown): Promise<unknown> => {
      asked.push(params);
      return fails ? Promise.reject(new Error('closed')) : Promise.resolve({});
    };
    const watcher = createWatcher({ request } as unknown as PanelRpc);
    await expect(watcher.watch(['a'])).rejects.toThrow('closed');
    fails = false;
    await watcher.watch(['a']);
    await watcher.watch(['a']);
    expect(asked).toHaveLength(2);
    watcher.take({ runId: 'a', first: true, events: madeUpEvents('sft') });
    watcher.take({ runId: 'other', first: true, events: madeUpEvents('sft') });
    expect(watcher.curvesOf('a')?.steps).toHaveLength(600);
    expect(watcher.curvesOf('other')).toBeUndefined();
    const before = watcher.version();
    await watcher.watch(['other']);
    expect(watcher.curvesOf('a')).toBeUndefined();
    expect(watcher.version()).not.toBe(before);
  });
});
