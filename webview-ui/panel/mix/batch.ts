/** One batch as it would be drawn: where each row comes from, and which of its tokens are trained. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { MixPreviewData } from '../../../src/protocol/preview.js';
import { link, rowButton } from '../../shared/toolkit.js';

export interface BatchView {
  files: readonly string[];
  openFile(file: string, line: number | undefined): void;
  /** Rows shown to their end. */
  isLong(row: string): boolean;
  toggleLong(row: string): void;
}

type BatchRow = MixPreviewData['batch'][number];

/** A row of 512 tokens would hide the next one. */
const shortRow = 80;

export function batchView(mix: MixPreviewData, view: BatchView): TemplateResult {
  return html`<section aria-labelledby="preview-batch">
    <h2 id="preview-batch">The first batch</h2>
    <p class="legend">
      <span class="token trained">trained</span> The model learns to write these tokens.
      <span class="token">context</span> It only reads these.
    </p>
    <ol class="batch">
      ${mix.batch.map((row) => rowView(row, view))}
    </ol>
  </section>`;
}

function rowView(row: BatchRow, view: BatchView): TemplateResult {
  const { source, origin, tokens } = row;
  const id = `${source} ${row.row}`;
  const isLong = tokens.length > shortRow;
  const shown = isLong && !view.isLong(id) ? tokens.slice(0, shortRow) : tokens;
  const isDataset = source === 'dataset';
  const file = origin && view.files[origin.file];
  return html`<li>
    <div class="row-head">
      <span class=${`source ${isDataset ? 'dataset' : 'samples'}`}
        >${isDataset ? 'Dataset' : 'Sample'}</span
      >
      ${
        origin && file !== undefined
          ? link(`line ${origin.line}`, () => view.openFile(file, origin.line))
          : html`<span class="muted">number ${row.row + 1}</span>`
      }
    </div>
    ${
      tokens.length === 0
        ? html`<div class="muted unwritten">will be written</div>`
        : html`<div class="tokens">
            ${shown.map(tokenView)}${shown.length < tokens.length ? '…' : ''}
          </div>`
    }
    ${
      isLong
        ? rowButton(view.isLong(id) ? 'Show less' : `Show all ${tokens.length} tokens`, {
            label: view.isLong(id) ? 'Show less' : `Show all ${tokens.length} tokens`,
            expanded: view.isLong(id),
            tabIndex: 0,
            onClick: () => view.toggleLong(id),
          })
        : nothing
    }
  </li>`;
}

function tokenView({ text, trained }: BatchRow['tokens'][number]): TemplateResult {
  const visible = text.replaceAll('\n', '⏎\n');
  return html`<span class=${trained ? 'token trained' : 'token'}>${visible}</span>`;
}
