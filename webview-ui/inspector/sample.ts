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
  /** What is searched for, as `searchedFor` makes it. */
  wanted: string;
  /** Whether the tabulator key comes here. */
  reachable: boolean;
  /** Why exclusions cannot be changed. */
  settled: string | undefined;
  onToggle: () => void;
  onExclude: () => void;
}

export function sampleRow(row: SampleRow): TemplateResult {
  const { sample, tokens, expanded, excluded, reachable } = row;
  const more = isCut(sample, tokens);
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
      <span class="sample-number">${sample.index}</span>
      <span class="figures muted"
        >${excluded ? badge('excluded') : nothing} ${figures(sample)}</span
      >
      ${rowButton(excluded ? 'Include' : 'Exclude', {
        label: `${excluded ? 'Include' : 'Exclude'} sample ${sample.index}`,
        title:
          row.settled ?? (excluded ? 'Use it for training again (x)' : 'Do not train on it (x)'),
        disabled: row.settled !== undefined,
        tabIndex,
        onClick: row.onExclude,
      })}
    </div>
    <div class="sample-text" dir="auto">
      ${guard([sample, tokens, expanded, row.wanted], () => sampleText(row))}
      ${
        more
          ? rowButton(toggle, {
              label: `${toggle} of sample ${sample.index}`,
              expanded,
              tabIndex,
              onClick: row.onToggle,
            })
          : nothing
      }
    </div>
  </article>`;
}

function figures(sample: SampleSummary): TemplateResult {
  return html`<span title="Mean log-probability per token, in nats: closer to 0 is more likely"
      ><span class="roomy">log-prob. </span>${formatNumber(sample.meanLogprob, 3)}</span
    >
    <span>${sample.length} tokens</span>
    <span title="Share of its 4-grams that occur earlier in it"
      >${formatNumber(100 * sample.repetition, 2)} % rep<span class="roomy">eated</span></span
    >
    ${
      sample.stop === 'length'
        ? html`<span title="It reached the maximum length before it ended">cut off</span>`
        : nothing
    }`;
}

/** What a screen reader says of the row before its text. */
function nameOf(sample: SampleSummary, excluded: boolean): string {
  return [
    `Sample ${sample.index}`,
    ...(excluded ? ['excluded'] : []),
    `mean log-probability ${formatNumber(sample.meanLogprob, 3)}`,
    `${sample.length} tokens`,
    `${formatNumber(100 * sample.repetition, 2)} % repeated`,
    ...(sample.stop === 'length' ? ['cut off at the maximum length'] : []),
  ].join(', ');
}

/**
 * Twice: shaded for the eye, and plain for a screen reader, which would stumble over hundreds of
 * fragments.
 */
function sampleText({ sample, tokens, expanded, wanted }: SampleRow): TemplateResult {
  const part = expanded
    ? { text: sample.text, cutBefore: false, cut: false }
    : preview(sample.text, wanted);
  const around = (text: string): string =>
    `${part.cutBefore ? '…' : ''}${text}${part.cut ? '…' : ''}`;
  const range = tokens && (expanded ? allOf(tokens) : previewTokens(tokens, wanted));
  // An inline element: what is between its tags is kept as it is, line breaks included.
  const shown = tokens && range ? tokenSpans(tokens, range) : around(visibleText(part.text));
  return html`<span class="text" aria-hidden="true" data-first=${range?.start ?? 0}>${shown}</span>
    <p class="visually-hidden" dir="auto">
      ${part.text === '' ? 'Empty text' : around(part.text)}
    </p>`;
}

interface TokenRange {
  start: number;
  end: number;
}

function allOf({ pieces }: SampleTokens): TokenRange {
  return { start: 0, end: pieces.length };
}

function tokenSpans(tokens: SampleTokens, { start, end }: TokenRange): DocumentFragment {
  const fragment = document.createDocumentFragment();
  if (start > 0) fragment.append('…');
  for (let at = start; at < end; at++) {
    const span = document.createElement('span');
    span.className = `token shade-${shadeOf(tokens.logprobs[at] ?? 0)}`;
    span.textContent = visibleText(tokens.pieces[at] ?? '') || '∅';
    fragment.append(span);
  }
  if (end < tokens.pieces.length) fragment.append('…');
  return fragment;
}

/** Whether a preview leaves something of the sample out. */
function isCut({ text }: SampleSummary, tokens: SampleTokens | undefined): boolean {
  return (
    preview(text).cut || (tokens !== undefined && previewTokens(tokens).end < allOf(tokens).end)
  );
}

/** A guess at the height of a row that was never drawn, pixels. */
export function guessHeight(
  { sample, expanded, wanted }: Pick<SampleRow, 'sample' | 'expanded' | 'wanted'>,
  width: number,
): number {
  const { text, cut } = preview(sample.text, wanted);
  const shown = expanded ? sample.text : `${text}${cut ? '… Show all tokens' : ''}`;
  const perLine = Math.max(10, (width - 24) / 8);
  let lines = 0;
  for (let start = 0; start <= shown.length;) {
    const end = shown.indexOf('\n', start);
    const length = (end < 0 ? shown.length : end) - start;
    lines += Math.max(1, Math.ceil(length / perLine));
    start += length + 1;
  }
  return 19 * lines + 35;
}
