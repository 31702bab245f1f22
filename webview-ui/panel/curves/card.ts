/** The frame of a chart: title, buttons, canvas or table, legend. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { button } from '../../shared/toolkit.js';
import type { NumbersTable } from './values.js';

export interface CardOptions {
  id: string;
  title: string;
  note: string;
  /** The box of the canvas. */
  box: HTMLElement;
  /** Points drawn. */
  points: number;
  /** Shown in place of the box. */
  table?: TemplateResult;
  legend?: TemplateResult;
  /** What else can be set about the chart. */
  extra?: TemplateResult;
  onTable: () => void;
  onPng: () => void;
  onCsv?: () => void;
}

export function card(options: CardOptions): TemplateResult {
  const { id, title, note, box, points, table, legend, extra, onTable, onPng, onCsv } = options;
  const tool = (text: string, label: string, onClick: () => void, pressed?: boolean) =>
    button(text, { kind: 'secondary', label: `${label}: ${title}`, onClick, pressed });
  return html`<figure class="card" data-chart=${id} data-points=${points}>
    <figcaption>
      <h2>${title}</h2>
      <div class="muted">${note}</div>
    </figcaption>
    <div class="card-tools">
      ${tool('Table', 'Show as table', onTable, table !== undefined)}
      ${tool('PNG', 'Save as PNG', onPng)} ${onCsv ? tool('CSV', 'Save as CSV', onCsv) : nothing}
      ${extra ?? nothing}
    </div>
    ${table ?? box} ${legend ?? nothing}
  </figure>`;
}

export function numbersTable(caption: string, table: NumbersTable): TemplateResult {
  return html`<div class="table-box" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <thead>
        <tr>
          <th scope="col">step</th>
          ${table.columns.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${table.rows.map(
          ({ step, cells }) =>
            html`<tr>
              <th scope="row">${step}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
    ${
      table.leftOut > 0
        ? html`<p class="muted">${table.leftOut} more steps are in the CSV.</p>`
        : nothing
    }
  </div>`;
}
