/** One batch as it would be drawn: the source of each row, and which of its tokens are supervised. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { MixPreview } from '../../../src/protocol/preview.js';
import { sourceRole } from '../../../src/protocol/sourceRoles.js';
import { link, rowButton } from '../../shared/toolkit.js';

export interface BatchView {
  files: readonly string[];
  openFile(file: string, line: number | undefined): void;
  /** Rows shown to their end. */
  isLong(row: string): boolean;
  toggleLong(row: string): void;
  /** Whether all rows are shown, or the first of each source. */
  isWhole: boolean;
  toggleWhole(): void;
}

type BatchRow = MixPreview['batch'][number];

/** A row of 512 tokens would hide the next one. */
const shortRow = 80;
/** Rows shown at first: of the dataset, and of each other source. */
const fewRows = [4, 2] as const;

/** Colour and pattern of a source, by its place in the mix. */
export function sourceStyle(index: number): string {
  return `source-${index % 4}`;
}

export function batchView(mix: MixPreview, view: BatchView): TemplateResult {
  const { batch, sources } = mix;
  const few = sources.flatMap(({ id }, i) =>
    batch.filter(({ source }) => source === id).slice(0, i === 0 ? fewRows[0] : fewRows[1]),
  );
  const shown = view.isWhole ? batch : few;
  const more = view.isWhole ? 'Show fewer rows' : `Show all ${batch.length} rows`;
  return html`<section aria-labelledby="preview-batch">
    <h2 id="preview-batch">The first batch</h2>
    <ul class="legend">
      <li>
        <span class="token supervised">supervised</span> The model learns to generate these tokens.
      </li>
      <li><span class="token">context</span> It only reads these.</li>
    </ul>
    <ol class="batch">
      ${shown.map((row) => rowView(row, mix, view))}
    </ol>
    ${
      few.length < batch.length
        ? rowButton(more, {
            label: more,
            expanded: view.isWhole,
            tabIndex: 0,
            onClick: () => view.toggleWhole(),
          })
        : nothing
    }
  </section>`;
}

function rowView(row: BatchRow, { sources }: MixPreview, view: BatchView): TemplateResult {
  const { source, origin, tokens } = row;
  const id = `${source} ${row.row}`;
  const isLong = tokens.length > shortRow;
  const shown = isLong && !view.isLong(id) ? tokens.slice(0, shortRow) : tokens;
  const place = sources.findIndex((each) => each.id === source);
  const { row: word } = sourceRole(sources[place]?.role ?? source);
  const file = origin && view.files[origin.file];
  return html`<li>
    <div class="row-head">
      <span class=${`source ${sourceStyle(place)}`}>${word}</span>
      ${
        origin && file !== undefined
          ? link(`line ${origin.line}`, () => view.openFile(file, origin.line))
          : html`<span class="muted">number ${row.row + 1}</span>`
      }
    </div>
    ${
      tokens.length === 0
        ? html`<div class="muted unwritten">not generated yet</div>`
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

function tokenView({ text, supervised }: BatchRow['tokens'][number]): TemplateResult {
  const visible = text.replaceAll('\n', '⏎\n');
  return html`<span class=${supervised ? 'token supervised' : 'token'}>${visible}</span>`;
}
