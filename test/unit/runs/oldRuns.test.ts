/** Run folders that version 0.1.0 wrote: they still open, draw, compare and make a report. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runJob } from '../../../src/engine/job.js';
import { defined } from '../../../src/errors.js';
import {
  downstreamPoints,
  lossPoints,
  runCurves,
  taskKey,
  taskPoints,
} from '../../../src/protocol/curveData.js';
import { eventsOf } from '../../../src/protocol/history.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';
import { compareItems, compareRuns, type ComparedRun } from '../../../src/runs/compare.js';
import { readExclusions } from '../../../src/runs/exclusions.js';
import { renderReport } from '../../../src/runs/report.js';
import {
  openRun,
  readEvents,
  readKlSamples,
  readItems,
  readResults,
  readSamples,
  runState,
} from '../../../src/runs/runFolder.js';
import { createRunReader } from '../../../src/runs/runInfo.js';
import { listCheckpoints } from '../../../src/trainer/checkpoint.js';
import { expectError } from '../../support/expectError.js';
import { oldRunFolder, oldRunToResume } from '../../support/oldRuns.js';
import { factRows } from '../../../webview-ui/panel/compare/rows.js';

const cfs = openRun(oldRunFolder('cfs'));
const sft = openRun(oldRunFolder('sft'));

async function infoOf(folder: string): Promise<RunInfo> {
  const reader = createRunReader(folder, (problem) => {
    throw problem;
  });
  return defined(await reader.read(), 'run');
}

describe('a finished run of version 0.1.0', () => {
  it('opens with its configuration', async () => {
    expect(cfs.config).toMatchObject({ name: 'old cfs', method: 'cfs', seed: 5 });
    expect(cfs.config).toMatchObject({ mix: { lambda: 1, mode: 'per-batch' } });
    expect(cfs.config.dataset).toHaveLength(1);
    expect(runState(cfs)).toBe('finished');
    expect(await infoOf(cfs.folder)).toMatchObject({
      id: 'cfs',
      state: 'finished',
      name: 'old cfs',
      method: 'cfs',
      step: 12,
      samples: 12,
      trained: true,
      checkpoints: [],
    });
  });

  it('tells what happened', () => {
    const events = readEvents(cfs);
    const counts: Partial<Record<RunEvent['type'], number>> = {};
    for (const { type } of events) counts[type] = (counts[type] ?? 0) + 1;
    expect(counts).toEqual({
      ...{ run_started: 3, bos_found: 3, phase: 22, warning: 4, run_failed: 1 },
      ...{ sample_progress: 18, samples_judged: 1, samples_described: 1, samples_chosen: 1 },
      ...{ train_step: 12, evaluation: 5, checkpoint: 4, run_stopped: 2, run_finished: 1 },
    });
    expect(eventsOf(events, 'samples_chosen')).toMatchObject([{ excluded: [1, 4] }]);
    expect(eventsOf(events, 'run_failed')).toMatchObject([{ error: { code: 'PROVIDER_FAILED' } }]);
    expect(eventsOf(events, 'checkpoint').map(({ step }) => step)).toEqual([4, 5, 8, 12]);
    expect(readExclusions(cfs)).toEqual([1, 4]);
  });

  it('tells the time of all its four sessions, where its results have that of the last', async () => {
    const seconds = 0.979 + 0.967 + 1.179 + 1.751;
    const info = await infoOf(cfs.folder);
    expect(info.secondsWorked).toBeCloseTo(seconds, 9);
    const results = defined(readResults(cfs), 'results');
    expect(results.timings['total']).toBeLessThan(1.751);
    const { runs, settings } = compareRuns([{ info, config: cfs.config, results }], '/');
    const time = factRows({ runs, settings }).find(({ name }) => name === 'Time');
    expect(time?.values).toEqual(['4.9 s']);
    const report = renderReport({
      config: cfs.config,
      events: readEvents(cfs),
      samples: [],
      results,
    });
    expect(report).toContain('<dt>Time</dt>\n<dd>4.9 s<small>on cpu</small>');
    expect(report).toContain('<tr><th scope="row">total</th><td>4.9 s</td></tr>');
  });

  it('draws its losses by source, its scores and its drift', () => {
    const curves = runCurves(readEvents(cfs));
    const ends = (points: [number, number][]) => [points.length, points[0], points.at(-1)];
    expect(ends(lossPoints(curves, { source: undefined }))).toEqual([
      ...[12, [1, 13.575265640597785], [12, 8.592324673000757]],
    ]);
    expect(ends(lossPoints(curves, { source: 'dataset' }))).toEqual([
      ...[12, [1, 7.4649830175482705], [12, 3.65176181232228]],
    ]);
    expect(ends(lossPoints(curves, { source: 'cfs' }))).toEqual([
      ...[12, [1, 6.110282301902771], [12, 4.94056252638499]],
    ]);
    const text = taskPoints(curves, taskKey({ task: 'text', metric: 'token_perplexity' }));
    expect(text.map(({ step, score, change }) => [step, score, change])).toEqual([
      [0, 2832.490215396951, 0],
      [6, 2341.489441558084, -491.0007738388672],
      [12, 2310.0244615805527, -522.4657538163983],
    ]);
    expect(downstreamPoints(curves).map(({ step, score }) => [step, score])).toEqual([
      [0, 7.51732265231121],
      [6, 4.623591753373663],
      [12, 4.179188736950058],
    ]);
    // Measured with the subset and again with the full sets, on the same samples.
    expect(curves.kl.map(({ step, mean }) => [step, mean])).toEqual([
      [0, -5.76178232828776e-7],
      [0, -5.76178232828776e-7],
      [6, 1.3307813008626301],
      [12, 1.9169981877009075],
      [12, 1.9169981877009075],
    ]);
  });

  it('has its samples, results and items', () => {
    const samples = [...readSamples(cfs)].toSorted((a, b) => a.index - b.index);
    expect(samples.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(samples[0]).toMatchObject({ bosId: 0, stop: 'length' });
    expect(samples[0]?.tokens.slice(0, 4)).toEqual([185, 177, 322, 980]);
    expect(samples[0]?.logprobs[0]).toBeCloseTo(-5.3813133239, 9);
    expect([...readKlSamples(cfs)]).toHaveLength(6);

    const results = defined(readResults(cfs), 'results');
    expect(results).toMatchObject({ method: 'cfs', steps: 12, savedStep: 12, provider: 'cpu' });
    expect(results.tasks.map(({ task, n, base, change }) => [task, n, base.score, change])).toEqual(
      [
        ['choice', 8, 0.25, 0],
        ['text', 6, 3094.9829198217376, -547.2022506231483],
        ['write', 3, 0, 0],
      ],
    );
    expect(results.downstream?.final.score).toBe(4.201561830602251);
    expect(results.samples).toMatchObject({ samples: 10 });
    const items = [...readItems(cfs)];
    expect(items[1]).toMatchObject({
      ...{ task: 'choice', id: '1', prompt: '1+1=', expected: '2' },
      base: { correct: false, answer: '1' },
    });
    const change = { task: 'choice', metric: 'acc', change: 'right-to-wrong' } as const;
    const from = { items, model: 'base' } as const;
    expect(compareItems(from, { items, model: 'final' }, change)).toEqual([]);
  });
});

describe('a stopped run of version 0.1.0', () => {
  it('opens, and draws what it did', async () => {
    expect(sft.config).toMatchObject({ name: 'old sft', method: 'sft' });
    expect(runState(sft)).toBe('stopped');
    expect(readResults(sft)).toBeUndefined();
    expect(await infoOf(sft.folder)).toMatchObject({ state: 'stopped', step: 7, checkpoints: [7] });
    const curves = runCurves(readEvents(sft));
    const losses = lossPoints(curves, { source: 'dataset' });
    expect(losses).toHaveLength(7);
    expect(losses.at(-1)).toEqual([7, 7.005494792938232]);
    expect(lossPoints(curves, { source: 'cfs' })).toEqual([]);
    expect(curves.evaluations.map(({ step }) => step)).toEqual([0, 6]);
  });

  it('is not resumed, with a sentence and nothing changed', async () => {
    const run = openRun(oldRunToResume());
    const { signal } = new AbortController();
    const job = { run, resume: true, until: 'end', signal, onEvent: () => undefined } as const;
    const { message, remedy } = await expectError('CHECKPOINT_OUTDATED', () => runJob(job));
    expect(message).toContain('an earlier version of CFS Studio');
    expect(remedy).toContain('Start a new run');
    expect(listCheckpoints(run.paths.checkpoints)).toEqual([7]);
    expect(readResults(run)).toBeUndefined();
  });
});

describe('runs of version 0.1.0 side by side', () => {
  it('are compared by settings and results', async () => {
    const compared: ComparedRun[] = [];
    for (const run of [cfs, sft]) {
      compared.push({
        info: await infoOf(run.folder),
        config: run.config,
        results: readResults(run),
      });
    }
    const { runs, settings } = compareRuns(compared, join(cfs.folder, '../../..'));
    expect(runs.map(({ results }) => results?.steps)).toEqual([12, undefined]);
    expect(settings).toContainEqual({ field: 'method', values: ['cfs', 'sft'] });
    expect(settings).toContainEqual({ field: 'evaluation.klSamples', values: ['6', '0'] });
  });

  it('make one report', () => {
    const [first, second] = [cfs, sft].map((run) => ({
      config: run.config,
      events: readEvents(run),
      samples: [...readSamples(run)],
      results: readResults(run),
    }));
    const html = renderReport(defined(first, 'cfs'), [defined(second, 'sft')]);
    expect(html).toContain('old cfs and old sft');
    expect(html).toContain('[12,3.65176181232228]');
    expect(html).toContain('[12,4.94056252638499]');
    expect(html).toContain('[7,7.005494792938232]');
  });
});

it('the folders hold no path of the machine they were made on', () => {
  for (const { paths } of [cfs, sft]) {
    for (const file of [paths.config, paths.events, paths.base]) {
      expect(readFileSync(file, 'utf8')).not.toMatch(/"\/|: \/|\/tmp|\/home|\/root/);
    }
  }
});
