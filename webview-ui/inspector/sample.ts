/**
 * One sample as a row of the list: its numbers, its text shaded by how likely the model found each
 * token, and a button that takes it out of the mix. Thousands of tokens pass by while people scroll,
 * so they are made by hand instead of by a template each; texts reach the page as text only.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { formatNumber } from '../../src/protocol/format.js';
import type { SampleSummary, SampleTokens } from '../../src/protocol/inspector.js';
import { badge, rowButton } from '../shared/toolkit.js';
import { preview, previewTokens, shadeOf, visibleText } from './text.js';

export interface SampleRow {
  sample: SampleSummary;
  tokens: SampleTokens | undefined;
  /** Place in the list, from 0, and how many rows it has. */
  position: number;
  count: number;
  /** Pixels from the upper edge of the list. */
  top: number;
  expanded: boolean;
  excluded: boolean;
  /** Whether the tabulator key comes here. */
  reachable: boolean;
  /** Why exclusions cannot be changed. */
  settled: string | undefined;
  onToggle: () => void;
  onExclude: () => void;
}

export function sampleRow(row: SampleRow): TemplateResult {
  const { sample, tokens, expanded, excluded, reachable } = row;
  const { cut } = preview(sample.text);
  const more = cut || (tokens !== undefined && previewTokens(tokens) < tokens.pieces.length);
  const tabIndex = reachable ? 0 : -1;
  const toggle = expanded ? 'Show less' : `Show all ${sample.length} tokens`;
  return html`<article
    class=${excluded ? 'sample excluded' : 'sample'}
    tabindex=${tabIndex}
    aria-posinset=${row.position + 1}
    aria-setsize=${row.count}
    aria-label=${nameOf(sample, excluded)}
    data-index=${row.position}
    data-sample=${sample.index}
    .style=${`transform: translateY(${row.top}px)`}
  >
    <div class="sample-head">
      <span class="sample-number">${sample.index + 1}</span>
      <span class="figures muted"
        >${excluded ? badge('excluded') : nothing} ${figures(sample)}</span
      >
      ${rowButton(excluded ? 'Include' : 'Exclude', {
        label: `${excluded ? 'Include' : 'Exclude'} sample ${sample.index + 1}`,
        title:
          row.settled ?? (excluded ? 'Use it for training again (x)' : 'Do not train on it (x)'),
        disabled: row.settled !== undefined,
        tabIndex,
        onClick: row.onExclude,
      })}
    </div>
    ${guard([sample, tokens, expanded], () => sampleText(sample, tokens, expanded))}
    ${
      more
        ? rowButton(toggle, {
            label: `${toggle} of sample ${sample.index + 1}`,
            expanded,
            tabIndex,
            onClick: row.onToggle,
          })
        : nothing
    }
  </article>`;
}

function figures(sample: SampleSummary): TemplateResult {
  return html`<span title="Mean log-probability of its tokens, in nats: nearer to 0 is likelier"
      >log-prob. ${formatNumber(sample.meanLogprob, 3)}</span
    >
    <span>${sample.length} tokens</span>
    <span title="Share of its runs of four tokens that occur earlier in it"
      >${formatNumber(100 * sample.repetition, 2)} % repeated</span
    >
    ${
      sample.stop === 'length'
        ? html`<span title="It reached the length limit before it came to an end">cut off</span>`
        : nothing
    }`;
}

/** What a screen reader says of the row before its text. */
function nameOf(sample: SampleSummary, excluded: boolean): string {
  return [
    `Sample ${sample.index + 1}`,
    ...(excluded ? ['excluded'] : []),
    `mean log-probability ${formatNumber(sample.meanLogprob, 3)}`,
    `${sample.length} tokens`,
    `${formatNumber(100 * sample.repetition, 2)} % repeated`,
    ...(sample.stop === 'length' ? ['cut off at the length limit'] : []),
  ].join(', ');
}

/**
 * Twice: shaded for the eye, and plain for a screen reader, which would stumble over hundreds of
 * fragments.
 */
function sampleText(
  sample: SampleSummary,
  tokens: SampleTokens | undefined,
  expanded: boolean,
): TemplateResult {
  const { text, cut } = expanded ? { text: sample.text, cut: false } : preview(sample.text);
  const ending = cut ? '…' : '';
  // An inline element: what is between its tags is kept as it is, line breaks included.
  const shown = tokens ? tokenSpans(tokens, expanded) : `${visibleText(text)}${ending}`;
  return html`<span class="text" dir="auto" aria-hidden="true">${shown}</span>
    <p class="visually-hidden" dir="auto">${text === '' ? 'Empty text' : text}${ending}</p>`;
}

function tokenSpans(tokens: SampleTokens, expanded: boolean): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const count = expanded ? tokens.pieces.length : previewTokens(tokens);
  for (let at = 0; at < count; at++) {
    const span = document.createElement('span');
    span.className = `token shade-${shadeOf(tokens.logprobs[at] ?? 0)}`;
    span.textContent = visibleText(tokens.pieces[at] ?? '') || '∅';
    fragment.append(span);
  }
  if (count < tokens.pieces.length) fragment.append('…');
  return fragment;
}

/** A guess at the height of a row that was never drawn, pixels. */
export function guessHeight(sample: SampleSummary, expanded: boolean, width: number): number {
  const { text, cut } = preview(sample.text);
  const shown = expanded ? sample.text : text;
  const perLine = Math.max(10, (width - 24) / 8);
  let lines = 0;
  for (let start = 0; start <= shown.length;) {
    const end = shown.indexOf('\n', start);
    const length = (end < 0 ? shown.length : end) - start;
    lines += Math.max(1, Math.ceil(length / perLine));
    start += length + 1;
  }
  return 20 * lines + (cut ? 76 : 50);
}
