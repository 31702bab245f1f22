/**
 * The Curves page: what runs learn and what they forget, live from their events. Its charts are
 * rebuilt from plain data whenever something changes; this file only brings data, settings and charts
 * together.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { taskList } from '../../../src/protocol/curveData.js';
import { methodLabel } from '../../../src/methods/index.js';
import type { RunAction, RunInfo } from '../../../src/protocol/runInfo.js';
import { runLabels } from '../../../src/protocol/runWords.js';
import { failure } from '../../shared/failure.js';
import { readTheme, type Theme } from '../../shared/theme.js';
import { button, checkbox } from '../../shared/toolkit.js';
import { toPng, type Drawing } from '../chartBase.js';
import type { PageContext, PanelPage } from '../page.js';
import { mostRuns, runPicker } from '../runPicker.js';
import { runStatus } from '../runStatus.js';
import { createViews } from '../views.js';
import { card, numbersTable } from './card.js';
import { curvesChart } from './chart.js';
import { controls } from './controls.js';
import { toCsv } from './csv.js';
import './curves.css';
import { legend } from './legend.js';
import { createFinishedRuns } from './finishedRuns.js';
import { scatterCards } from './scatterCard.js';
import { buildSpecs, type ChartSpec, type CurvesRun } from './series.js';
import { hiddenIn, restoreState, toggled, type CurvesState } from './state.js';
import { summarize, tabulate } from './values.js';
import { createWatcher } from './watch.js';

interface BuiltChart {
  spec: ChartSpec;
  hidden: ReadonlySet<string>;
  drawing: Drawing;
  /** Points drawn. */
  points: number;
  /** The chart in words. */
  summary: string;
}

export function createCurvesPage(context: PageContext): PanelPage {
  const { rpc } = context;
  const watcher = createWatcher(rpc);
  const finished = createFinishedRuns(rpc);
  const views = createViews();
  let state = restoreState(context.remembered());
  let theme: Theme | undefined;
  let problem: unknown;
  // Kept, since the panel is drawn far more often than its curves change.
  let built: { version: string; charts: BuiltChart[] } = { version: '', charts: [] };

  const attempt = (work: Promise<unknown>): void => {
    work.then(
      () => context.redraw(),
      (error: unknown) => {
        problem = error;
        context.redraw();
      },
    );
  };
  const change = (part: Partial<CurvesState>): void => {
    state = { ...state, ...part };
    context.remember(state);
    context.redraw();
  };
  const act = (runId: string, action: RunAction): void => {
    problem = undefined;
    // Stopping waits for a checkpoint, deleting for a person.
    attempt(rpc.request('runAction', { runId, action }, { timeoutMs: 1_800_000 }));
  };
  const save = (name: string, kind: 'png' | 'csv', data: string): void => {
    problem = undefined;
    // A file dialog waits for a person.
    attempt(rpc.request('saveFile', { name, kind, data }, { timeoutMs: 600_000 }));
  };
  const saveCsv = (name: string, specs: readonly ChartSpec[]): void =>
    save(`${name}.csv`, 'csv', toCsv(specs));
  const savePng = (id: string, title: string, drawing: Drawing): void =>
    save(`${id}.png`, 'png', toPng(drawing, title, theme ?? readTheme()));
  const onTable = (id: string): void => change({ tables: toggled(state.tables, id) });

  const shown = (): RunInfo[] => {
    const runs = context.runs();
    const chosen = context.selected().flatMap((id) => runs.find((run) => run.id === id) ?? []);
    return (chosen.length > 0 ? chosen : runs.slice(0, 1)).slice(0, mostRuns);
  };

  const draw = (runs: readonly RunInfo[]): TemplateResult => {
    theme ??= readTheme();
    const labels = runLabels(context.runs());
    const labelOf = ({ id }: RunInfo): string => labels.get(id) ?? id;
    const curves = runs.flatMap((run, style): CurvesRun[] => {
      const of = watcher.curvesOf(run.id);
      const method = run.method ? methodLabel(run.method) : '';
      return of ? [{ ...of, id: run.id, label: labelOf(run), method, style }] : [];
    });
    const tasks = taskList(curves);
    const names = curves.map(({ id, label }) => [id, label]);
    const version = JSON.stringify([state, watcher.version(), theme, names]);
    if (built.version !== version) built = { version, charts: build(curves, theme) };
    const specs = built.charts.map(({ spec }) => spec);
    const picker = runPicker({
      runs: context.runs(),
      labels,
      chosen: runs.map(({ id }) => id),
      onChange: (ids) => context.select(ids),
    });
    return html`
      ${runs.map((run) =>
        runStatus({ run, label: labelOf(run), onAction: (action) => act(run.id, action) }),
      )}
      ${controls({ state, tasks, picker, change, onCsv: () => saveCsv('curves', specs) })}
      ${tasks.length === 0 ? waiting(runs) : nothing}
      <div class="cards">
        ${repeat(
          built.charts,
          ({ spec }) => spec.id,
          (chart) => chartCard(chart, theme ?? readTheme(), version),
        )}
      </div>
      ${scatterCards({
        runs: finished.of(context.runs(), labels),
        state,
        theme,
        views,
        version: JSON.stringify([finished.version(), theme, [...labels]]),
        change,
        onTable,
        savePng,
      })}
    `;
  };

  const build = (runs: readonly CurvesRun[], look: Theme): BuiltChart[] => {
    const { measure, intervals, smoothing } = state;
    const specs = buildSpecs(runs, { measure, leftOut: new Set(state.leftOut) });
    return specs.map((spec) => {
      const hidden = hiddenIn(state, spec.id);
      const log = state.log.includes(spec.id);
      const chart = curvesChart(spec, { theme: look, hidden, intervals, smoothing, log });
      return { spec, hidden, summary: summarize(spec, hidden), ...chart };
    });
  };

  const chartCard = (chart: BuiltChart, look: Theme, version: string): TemplateResult => {
    const { spec, hidden, drawing, points, summary } = chart;
    const { id, title, note } = spec;
    const view = views.of(id);
    view.draw(drawing, version);
    view.canvas.setAttribute('aria-label', summary);
    return card({
      id,
      title,
      note,
      box: view.box,
      points,
      table: state.tables.includes(id) ? numbersTable(title, tabulate(spec, hidden)) : undefined,
      legend: legend(spec.legend, hidden, look, (key) =>
        change({ hidden: toggled(state.hidden, `${id}/${key}`) }),
      ),
      extra: spec.canBeLog
        ? checkbox({
            checked: state.log.includes(id),
            label: 'Log scale',
            onChange: () => change({ log: toggled(state.log, id) }),
          })
        : undefined,
      onTable: () => onTable(id),
      onPng: () => savePng(id, title, drawing),
      onCsv: () => saveCsv(id, [spec]),
    });
  };

  return {
    update: () => {
      attempt(watcher.watch(shown().map(({ id }) => id)));
      attempt(finished.refresh(context.runs()));
    },
    render: () => {
      const runs = shown();
      const page = html`<div class="curves">
        ${problem === undefined ? nothing : failure(problem)}
        ${runs.length === 0 ? noRuns(() => context.go('mix')) : draw(runs)}
      </div>`;
      views.sweep();
      return page;
    },
    onTheme: () => {
      theme = undefined;
      context.redraw();
    },
    listeners: { history: watcher.take },
  };
}

function noRuns(onMix: () => void): TemplateResult {
  return html`<div class="empty">
    <h2>No runs yet</h2>
    <p>Curves show how a model learns your dataset, and whether it forgets what it could do.</p>
    ${button('Set up the first run', { onClick: onMix })}
  </div>`;
}

function waiting(runs: readonly RunInfo[]): TemplateResult {
  const isGoing = runs.some(({ state }) => state === 'running' || state === 'queued');
  return html`<div class="notice" role="status">
    ${
      isGoing
        ? 'The first scores appear once the base model has been scored, before training starts.'
        : 'These runs have no scores for pre-existing tasks: they ended too early, or name no tasks.'
    }
  </div>`;
}
