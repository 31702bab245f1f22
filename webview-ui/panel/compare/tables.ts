/** The tables of the Compare page. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { direction } from '../../../src/protocol/curveData.js';
import { unitName } from '../../../src/protocol/metrics.js';
import type { Outcome } from '../../../src/protocol/outcome.js';
import type { ComparisonData } from '../../../src/protocol/panel.js';
import { changeWithInterval, factRows, fromTo, type ScoreCell, type ScoreRow } from './rows.js';

const outcomes: Record<Outcome, { sign: string; text: string }> = {
  better: { sign: '▲', text: 'better' },
  worse: { sign: '▼', text: 'worse' },
  unclear: { sign: '', text: '' },
};

export function scoresTable(rows: readonly ScoreRow[], labels: readonly string[]): TemplateResult {
  return html`<section class="compare-section">
    <h2>Scores</h2>
    <p class="muted">
      Base model → fine-tuned model, then the change with its 95 % interval. ▲ better and ▼ worse
      are shown only where the interval excludes 0; ★ marks the best in a row.
    </p>
    ${table(
      'Scores',
      ['Task', ...labels],
      rows.map(
        (row) =>
          html`<tr>
            <th scope="row">
              ${row.isDownstream ? html`<strong>Your dataset</strong>` : row.task}
              <div class="muted">${unitName(row.unit)}, ${direction(row)}</div>
            </th>
            ${row.cells.map(scoreCell)}
          </tr>`,
      ),
    )}
  </section>`;
}

function scoreCell(cell: ScoreCell | undefined): TemplateResult {
  if (cell === undefined) return html`<td>–</td>`;
  const { result, outcome, best } = cell;
  const { sign, text } = outcomes[outcome];
  return html`<td>
    <div class=${best ? 'best' : nothing}>
      ${fromTo(result)} ${best ? html`<span title="best in this row">★ best</span>` : nothing}
    </div>
    <div class="muted">
      ${changeWithInterval(result)}
      ${text === '' ? nothing : html`<span class="outcome ${outcome}">${sign} ${text}</span>`}
    </div>
    <div class="muted">${moved(result)}</div>
  </td>`;
}

function moved({ n, rightToWrong, wrongToRight }: ScoreCell['result']): string {
  return rightToWrong === undefined
    ? `${n} items`
    : `${n} items, ${rightToWrong} lost, ${wrongToRight ?? 0} gained`;
}

export function factsTable(data: ComparisonData, labels: readonly string[]): TemplateResult {
  return html`<section class="compare-section">
    <h2>Overview</h2>
    ${textTable('Overview', '', labels, factRows(data))}
  </section>`;
}

export function settingsTable(
  { settings, runs }: ComparisonData,
  labels: readonly string[],
): TemplateResult {
  const rows = settings.map(({ field, values }) => ({ name: field, values }));
  return html`<section class="compare-section">
    <h2>Settings that differ</h2>
    ${
      runs.length < 2
        ? html`<p class="muted">Choose a second run to see how they differ.</p>`
        : rows.length === 0
          ? html`<p class="muted">These runs have the same settings.</p>`
          : textTable('Settings that differ', 'Setting', labels, rows)
    }
  </section>`;
}

function textTable(
  caption: string,
  corner: string,
  labels: readonly string[],
  rows: readonly { name: string; values: readonly string[] }[],
): TemplateResult {
  return table(
    caption,
    [corner, ...labels],
    rows.map(
      ({ name, values }) =>
        html`<tr>
          <th scope="row">${name}</th>
          ${values.map((value) => html`<td>${value}</td>`)}
        </tr>`,
    ),
  );
}

function table(
  caption: string,
  heads: readonly string[],
  rows: readonly TemplateResult[],
): TemplateResult {
  return html`<div class="wide-table" role="region" aria-label=${caption} tabindex="0">
    <table class="panel-table">
      <thead>
        <tr>
          ${heads.map((head) => (head === '' ? html`<td></td>` : html`<th scope="col">${head}</th>`))}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
