import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../src/runs/report.js';
import type { ReportRun } from '../../../src/runs/report.js';
import { buildCharts } from '../../../src/runs/reportCharts.js';
import type { Chart } from '../../../src/runs/reportCharts.js';
import type { TaskResult } from '../../../src/protocol/records.js';
import { parseRunConfig } from '../../../src/runs/config.js';
import { hostileTexts, unseen } from '../../support/hostileTexts.js';
import { madeUpConfig, madeUpEvents, madeUpResults, madeUpSamples, timeAt } from './madeUpRun.js';

const attack = '</pre><script>alert("sample")</script><img src=x onerror=alert(1)>';

function reportRun(method: 'sft' | 'cfs', name = 'poems'): ReportRun {
  return {
    config: madeUpConfig(method, name),
    events: madeUpEvents(method),
    samples: method === 'cfs' ? madeUpSamples([attack, 'Once upon a time & so on']) : [],
    results: madeUpResults(method),
  };
}

/** The page without its own scripts and style: what text of others may have got into. */
function bodyOf(html: string): string {
  return html.slice(html.indexOf('<main>'), html.indexOf('</main>') + '</main>'.length);
}

function scriptsOf(html: string): string[] {
  return [...html.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script ?? '');
}

function chartsOf(html: string): Chart[] {
  const [, json] = /id="report-data">(.*)<\/script>/.exec(html) ?? [];
  return (JSON.parse(json ?? '') as { charts: Chart[] }).charts;
}

/** Elements that are opened and closed in order; fails on a stray or missing tag. */
function unbalancedTags(html: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, tag = '', end] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
    if (['meta', 'br'].includes(tag) || end === '/') continue;
    if (slash !== '/') open.push(tag);
    else if (open.pop() !== tag) wrong.push(tag);
  }
  return [...wrong, ...open];
}

describe('renderReport', () => {
  it('shows text of samples and names as text only', () => {
    const name = '"><script>alert("name")</script>';
    const run = reportRun('cfs', name);
    const warning = { type: 'warning', time: timeAt(0), code: 'A', message: attack, remedy: '<b>' };
    const events = [...run.events, { ...warning, type: 'warning' as const }];
    const html = renderReport({ ...run, events });
    expect(bodyOf(html)).toContain('&lt;script&gt;alert(');
    expect(bodyOf(html)).not.toMatch(/<script|<img|<b>/);
    expect(html.slice(0, html.indexOf('<style>'))).toContain('<title>&quot;&gt;&lt;script&gt;');
    expect(html.match(/<script/g)).toHaveLength(3);
  });

  it.each(hostileTexts)('takes %j for text', (text) => {
    const run = reportRun('cfs', text);
    const task = { ...madeUpResults('cfs').tasks[0], task: text, metric: text } as TaskResult;
    const results = { ...madeUpResults('cfs'), tasks: [task], versions: { [text]: text } };
    const warning = { type: 'warning', time: timeAt(0), code: 'A', message: text, remedy: text };
    const events = [...run.events, { ...warning, type: 'warning' as const }];
    const html = renderReport({ ...run, events, results, samples: madeUpSamples([text]) });
    const ours = bodyOf(renderReport(reportRun('cfs')));
    const elements = (page: string): string[] => [
      ...new Set([...page.matchAll(/<\/?[a-z0-9]+/g)].map(([tag]) => tag)),
    ];
    expect(elements(ours)).toEqual(expect.arrayContaining(elements(bodyOf(html))));
    expect(unbalancedTags(bodyOf(html))).toEqual([]);
    expect(bodyOf(html).replace(/="[^"]*"/g, '=')).not.toMatch(/<[^>]* (on\w+|href|src)=/);
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(html).not.toContain('<!--');
    expect(unseen.test(bodyOf(html))).toBe(false);
    expect(chartsOf(html).length).toBeGreaterThan(0);
  });

  it('says nothing of where the files of this machine lie', () => {
    const home = join(homedir(), 'secret place');
    const root = join(home, 'work');
    const config = parseRunConfig(
      `model: ${home}/models/base\ndataset: data/poems.jsonl\n`,
      join(root, 'run.yaml'),
    );
    const place = `${home}/models/base/config.json`;
    const error = { code: 'A', message: `No ${place}.`, remedy: `Look at ${root}/x.`, place: {} };
    const events = [{ type: 'run_failed' as const, time: timeAt(0), step: 0, error }];
    const html = renderReport({ config, events, samples: [], root });
    expect(html).toContain('No …/base/config.json. → Look at ./x.');
    expect(html).toContain('>…/base<');
    expect(html).toContain('>data/poems.jsonl<');
    expect(html).not.toContain(homedir());
    expect(html).not.toContain('secret place');
  });

  it('allows exactly its own scripts and style, and no network', () => {
    const html = renderReport(reportRun('cfs'));
    const [, policy = ''] = /Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
    const hash = (text: string): string =>
      `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const scripts = scriptsOf(html);
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(html) ?? [];
    expect(scripts).toHaveLength(2);
    expect(policy).toContain(`script-src ${scripts.map(hash).join(' ')}`);
    expect(policy).toContain(`style-src ${hash(style)}`);
    expect(policy).toContain("default-src 'none'");
    expect(bodyOf(html)).not.toMatch(/<link|<img| style="/);
    expect(style).not.toMatch(/@import|url\(/);
  });

  it('is whole: tags are balanced and scripts parse', () => {
    for (const html of [
      renderReport(reportRun('cfs')),
      renderReport(reportRun('sft'), [reportRun('cfs')]),
      renderReport({ config: madeUpConfig(), events: [], samples: [] }),
    ]) {
      expect(unbalancedTags(bodyOf(html))).toEqual([]);
      scriptsOf(html).forEach((script) => new Script(script));
      expect(chartsOf(html)).toHaveLength(html.match(/<canvas/g)?.length ?? 0);
    }
  });

  it('shows base and final scores with the interval of the change', () => {
    const row = /<th scope="row">records<\/th>[^]*?<\/tr>/.exec(
      renderReport(reportRun('sft')),
    )?.[0];
    expect(row).toMatch(/0\.58[^]*0\.219[^]*bad">−0\.361[^]*\[−0\.391, −0\.331\][^]*192 \/ 11/);
  });

  it('keeps notes apart from warnings', () => {
    const note = { code: 'A', message: 'Longer.', remedy: 'Nothing.', time: timeAt(3) };
    const noted = { ...note, type: 'warning' as const, level: 'note' as const };
    const html = renderReport({ ...reportRun('cfs'), events: [...madeUpEvents(), noted] });
    expect(html).toMatch(/class="panel warnings"><p>3 rows are longer [^]*?<\/p><\/div>/);
    expect(html).toContain('<div class="panel notes"><p>Longer. → Nothing.</p></div>');
  });

  it('tells runs of one name apart', () => {
    const html = renderReport(reportRun('sft'), [reportRun('cfs')]);
    expect(bodyOf(html)).toContain('<h1>poems (Standard) and poems (CFS)</h1>');
  });
});

describe('buildCharts', () => {
  it('draws the tasks of a metric together for one run', () => {
    const charts = buildCharts([{ label: 'a', events: madeUpEvents() }]);
    expect(charts.map(({ title, series }) => [title, series.length])).toEqual([
      ['Training loss', 3],
      ['Downstream score: the new task', 1],
      ['Pre-existing tasks: acc', 5],
      ['Drift from the base model', 1],
    ]);
  });

  it('draws a line per run for several', () => {
    const charts = buildCharts([
      { label: 'a', events: madeUpEvents('sft') },
      { label: 'b', events: madeUpEvents('cfs') },
    ]);
    const records = charts.find(({ title }) => title === 'records: acc');
    expect(records?.series.map(({ label }) => label)).toEqual(['a', 'b']);
    const [standard, cfs] = records?.series.map(({ points }) => points.at(-1)?.[1] ?? NaN) ?? [];
    expect(standard).toBeLessThan(cfs ?? NaN);
  });

  it('measures the change from the first evaluation where the event does not say it', () => {
    const events = madeUpEvents().map((event) =>
      event.type === 'evaluation'
        ? { ...event, tasks: event.tasks.map((task) => ({ ...task, change: undefined })) }
        : event,
    );
    const stated = buildCharts([{ label: 'a', events: madeUpEvents() }])[2]?.series[0]?.points;
    const derived = buildCharts([{ label: 'a', events }])[2]?.series[0]?.points ?? [];
    derived.forEach(([step, change], i) => {
      expect(step).toBe(stated?.[i]?.[0]);
      expect(change).toBeCloseTo((stated?.[i]?.[1] ?? NaN) - (stated?.[0]?.[1] ?? NaN), 12);
    });
    expect(derived).toHaveLength(13);
  });

  it('leaves skipped steps and repeated history out of the loss', () => {
    const step = madeUpEvents('sft').find((event) => event.type === 'train_step');
    if (step?.type !== 'train_step') throw new Error('no step');
    const resumed = madeUpEvents().slice(0, 1);
    const at = (n: number, loss: number, skipped = false): typeof step => ({
      ...step,
      step: n,
      loss,
      losses: { dataset: loss },
      skipped,
    });
    const events = [at(1, 9), ...resumed, at(1, 5), at(2, 99, true), at(3, 3)];
    expect(buildCharts([{ label: 'a', events }])[0]?.series[0]?.points).toEqual([
      [1, 5],
      [3, 3],
    ]);
  });
});
