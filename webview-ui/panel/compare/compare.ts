/** The Compare page: chosen runs side by side, from their settings to single items. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { z } from 'zod';
import { unitName } from '../../../src/protocol/metrics.js';
import type { ComparisonData } from '../../../src/protocol/panel.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';
import { runLabels } from '../../../src/protocol/runWords.js';
import { failure } from '../../shared/failure.js';
import { readTheme, type Theme } from '../../shared/theme.js';
import { button, progressRing } from '../../shared/toolkit.js';
import { lineSample } from '../curves/legend.js';
import type { PageContext, PanelPage } from '../page.js';
import { mostRuns, runPicker } from '../runPicker.js';
import { createViews } from '../views.js';
import { changeChart, changeGroups } from './changeChart.js';
import './compare.css';
import { createItemsBrowser, freshItems, itemsStateSchema } from './items.js';
import { changeWithInterval, itemTasks, scoreRows, type ScoreRow } from './rows.js';
import { factsTable, scoresTable, settingsTable } from './tables.js';

const stateSchema = z.object({ items: itemsStateSchema });
type State = z.infer<typeof stateSchema>;

export function createComparePage(context: PageContext): PanelPage {
  const { rpc } = context;
  const views = createViews();
  const browser = createItemsBrowser(rpc, () => context.redraw());
  const remembered = stateSchema.safeParse(context.remembered());
  let state: State = remembered.success ? remembered.data : { items: freshItems };
  let theme: Theme | undefined;
  let data: ComparisonData | undefined;
  let problem: unknown;
  let asked = '';

  const chosen = (): RunInfo[] => {
    const runs = context.runs();
    const selected = context.selected().flatMap((id) => runs.find((run) => run.id === id) ?? []);
    // With nothing chosen, the two runs that one most likely wants to compare.
    const ended = runs.filter((run) => run.state === 'finished').slice(0, 2);
    const fallback = ended.length > 0 ? ended : runs.slice(0, 1);
    return (selected.length > 0 ? selected : fallback).slice(0, mostRuns);
  };

  const load = (): void => {
    const runs = chosen();
    const key = JSON.stringify(runs.map((run) => [run.id, run.state, run.hasReport]));
    if (key === asked) return;
    asked = key;
    if (runs.length === 0) {
      data = undefined;
      return;
    }
    const settle = (act: () => void): void => {
      // Other runs have been chosen since.
      if (asked !== key) return;
      act();
      context.redraw();
    };
    rpc.request('compare', { runIds: runs.map(({ id }) => id) }).then(
      (answer) =>
        settle(() => {
          data = answer;
          problem = undefined;
        }),
      (error: unknown) =>
        settle(() => {
          problem = error;
          // So that it is asked for again when something changes.
          asked = '';
        }),
    );
  };

  const charts = (rows: readonly ScoreRow[], labels: readonly string[]): TemplateResult => {
    const look = (theme ??= readTheme());
    const groups = changeGroups(rows);
    if (groups.length === 0) return html``;
    return html`<section class="compare-section">
      <h2>Change from the base model</h2>
      <div class="legend">
        ${labels.map(
          (label, i) =>
            html`<span class="legend-entry"
              >${lineSample({ color: i, point: i }, look)}<span>${label}</span></span
            >`,
        )}
      </div>
      <div class="cards">
        ${groups.map((group) => {
          const { drawing, points } = changeChart(group, labels, look);
          const view = views.of(group.id);
          view.draw(drawing, JSON.stringify([look, labels, drawing.data]));
          view.canvas.setAttribute('aria-label', summarize(group.rows, labels));
          const height = 60 + group.rows.length * Math.max(34, 14 * labels.length + 10);
          view.box.style.height = `${height}px`;
          return html`<figure class="card" data-chart=${group.id} data-points=${points}>
            <figcaption class="muted">
              ${unitName(group.unit)}, with 95 % intervals; better is to the right
            </figcaption>
            ${view.box}
          </figure>`;
        })}
      </div>
    </section>`;
  };

  const sections = (comparison: ComparisonData, names: ReadonlyMap<string, string>) => {
    const labels = comparison.runs.map(({ info }) => names.get(info.id) ?? info.name);
    const results = comparison.runs.map((run) => run.results);
    const rows = scoreRows(results);
    const withResults = comparison.runs.flatMap(({ info, results: own }, i) =>
      own ? [{ id: info.id, label: labels[i] ?? info.name }] : [],
    );
    return html`
      ${factsTable(comparison, labels)}
      ${
        rows.length > 0
          ? scoresTable(rows, labels)
          : html`<div class="notice" role="status">
              Scores are available once a run has finished. Until then, look at its curves.
            </div>`
      }
      ${charts(rows, labels)} ${settingsTable(comparison, labels)}
      <section class="compare-section">
        <h2>Answers that changed</h2>
        ${browser.render({
          state: state.items,
          runs: withResults,
          tasks: itemTasks(results),
          change: (items) => {
            state = { ...state, items };
            context.remember(state);
            context.redraw();
          },
        })}
      </section>
    `;
  };

  const draw = (runs: readonly RunInfo[]): TemplateResult => {
    const names = runLabels(context.runs());
    return html`<div class="pickers compare-pickers">
        ${runPicker({
          runs: context.runs(),
          labels: names,
          chosen: runs.map(({ id }) => id),
          onChange: (ids) => context.select(ids),
        })}
      </div>
      ${problem === undefined ? nothing : failure(problem)}
      ${
        data === undefined
          ? problem === undefined
            ? progressRing('Reading runs')
            : nothing
          : sections(data, names)
      }`;
  };

  return {
    update: load,
    render: () => {
      const runs = chosen();
      const page = html`<div class="compare">
        ${runs.length === 0 ? noRuns(() => context.go('mix')) : draw(runs)}
      </div>`;
      views.sweep();
      return page;
    },
    onTheme: () => {
      theme = undefined;
      context.redraw();
    },
    listeners: {},
  };
}

/** The charts in words; the table above has all of it. */
function summarize(rows: readonly ScoreRow[], labels: readonly string[]): string {
  const texts = rows.map(({ task, cells }) => {
    const runs = cells.flatMap((cell, i) =>
      cell ? [`${labels[i] ?? ''} ${changeWithInterval(cell.result)}`] : [],
    );
    return `${task}: ${runs.join('; ')}`;
  });
  return `Change from the base model with 95 % intervals. ${texts.join('. ')}.`;
}

function noRuns(onMix: () => void): TemplateResult {
  return html`<div class="empty">
    <h2>Nothing to compare yet</h2>
    <p>Finish two runs, for instance one with CFS and one without, to see them side by side.</p>
    ${button('Set up the first run', { onClick: onMix })}
  </div>`;
}
