/** How every page shows an error: what happened, where, and what to do next. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { formatPlace } from '../../src/errors.js';
import { errorRecord } from '../../src/protocol/errorRecord.js';
import type { ErrorRecord } from '../../src/protocol/records.js';

export function failure(thrown: unknown): TemplateResult {
  return recordedFailure(errorRecord(thrown));
}

export function recordedFailure({ code, message, remedy, place }: ErrorRecord): TemplateResult {
  const where = formatPlace(place);
  return html`<div class="notice failure" role="alert">
    <strong>${message}</strong>
    ${where === '' ? nothing : html`<div class="muted">${where}</div>`}
    <div>${remedy}</div>
    <div class="muted">${code}</div>
  </div>`;
}
