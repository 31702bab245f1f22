/** The cards of the scatter: one for each unit of the tasks, over all finished runs. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { methodLabel } from '../../../src/methods/index.js';
import { formatChange, formatNumber } from '../../../src/protocol/format.js';
import { unitName } from '../../../src/protocol/metrics.js';
import { curveStyle, type Theme } from '../../shared/theme.js';
import { dropdown } from '../../shared/toolkit.js';
import type { Views } from '../views.js';
import { card } from './card.js';
import { pointSample } from './legend.js';
import { methodsOf, scatterGroups, type FinishedRun, type ScatterGroup } from './scatter.js';
import { scatterChart } from './scatterChart.js';
import type { CurvesState } from './state.js';
import type { Drawing } from '../chartBase.js';

export interface ScatterOptions {
  runs: readonly FinishedRun[];
  state: CurvesState;
  theme: Theme;
  views: Views;
  /** Another one whenever runs, theme or labels have changed. */
  version: string;
  change: (part: Partial<CurvesState>) => void;
  onTable: (id: string) => void;
  savePng: (id: string, title: string, drawing: Drawing) => void;
}

export function scatterCards(options: ScatterOptions): TemplateResult | typeof nothing {
  const { runs, state, theme, views, version } = options;
  const groups = scatterGroups(runs);
  const group = groups.find(({ key }) => key === state.group) ?? groups[0];
  if (group === undefined) return nothing;
  const choice =
    groups.length < 2
      ? nothing
      : html`<div class="control">
          <span aria-hidden="true">Runs of</span>
          ${dropdown({
            value: group.key,
            label: 'Runs of',
            options: groups.map(({ key, label, runs: count }) => ({
              value: key,
              label: `${label} (${count})`,
            })),
            onChange: (key) => options.change({ group: key }),
          })}
        </div>`;
  const cards = group.units.map((unit) => {
    const id = `scatter-${unit.unit}`;
    const title = `Learned and kept: ${unitName(unit.unit)}`;
    const drawing = scatterChart(group, unit, theme);
    const view = views.of(id);
    view.draw(drawing, `${version} ${group.key}`);
    view.canvas.setAttribute('aria-label', `${title}. ${describe(group, unit)}`);
    return card({
      id,
      title,
      note: `each point is a finished run on ${group.label}; up and to the right is better`,
      box: view.box,
      points: unit.points.length,
      table: state.tables.includes(id) ? table(unit) : undefined,
      legend: methodKey(unit, theme),
      onTable: () => options.onTable(id),
      onPng: () => options.savePng(id, title, drawing),
    });
  });
  return html`<h2 class="section">Finished runs: learned and kept</h2>
    ${choice}
    <div class="cards">${cards}</div>`;
}

function describe(group: ScatterGroup, { points }: ScatterGroup['units'][number]): string {
  const better = group.higherIsBetter ? 'higher is better' : 'lower is better';
  const runs = points.map(
    ({ label, x, y }) => `${label}: downstream ${formatNumber(x)}, kept ${formatChange(y)}`,
  );
  return `Downstream score, ${better}, against the mean change of the pre-existing tasks. ${runs.join('; ')}.`;
}

function table({ unit, points }: ScatterGroup['units'][number]): TemplateResult {
  return html`<div class="table-box" tabindex="0" role="region" aria-label="Runs">
    <table>
      <thead>
        <tr>
          <th scope="col">run</th>
          <th scope="col">method</th>
          <th scope="col">downstream</th>
          <th scope="col">mean change, ${unitName(unit)} (positive is better)</th>
        </tr>
      </thead>
      <tbody>
        ${points.map(
          ({ label, method, x, y }) =>
            html`<tr>
              <th scope="row">${label}</th>
              <td>${methodLabel(method)}</td>
              <td>${formatNumber(x)}</td>
              <td>${formatChange(y)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function methodKey({ points }: ScatterGroup['units'][number], theme: Theme): TemplateResult {
  return html`<div class="legend">
    ${methodsOf(points).map(({ name, style }) => {
      const { point, color } = curveStyle(style, theme.kind);
      return html`<span class="legend-entry">
        <svg class="line-sample" viewBox="0 0 36 12" aria-hidden="true">
          ${pointSample(point, color)}
        </svg>
        <span>${methodLabel(name)}</span>
      </span>`;
    })}
  </div>`;
}
