/** The statistics of the whole set, drawn. */
import { html, nothing, svg, type TemplateResult } from 'lit-html';
import { formatNumber } from '../../src/protocol/format.js';
import type { SampleSummary } from '../../src/protocol/inspector.js';
import type { SetDiagnostics } from '../../src/protocol/records.js';
import { describeSamples, histogram, type Quartiles } from './statistics.js';
import { memo } from './store.js';

const bins = 24;

/** What the drawing needs of the samples; counted again only when there are others. */
const summarize = memo((samples: readonly SampleSummary[]) => ({
  numbers: describeSamples(samples),
  logprobs: histogram(
    samples.map(({ meanLogprob }) => meanLogprob),
    bins,
  ),
  lengths: histogram(
    samples.map(({ length }) => length),
    bins,
  ),
}));

export interface FiguresOptions {
  samples: readonly SampleSummary[];
  /** Numbers that need the complete set. */
  diagnostics: SetDiagnostics | undefined;
  open: boolean;
  onToggle: (open: boolean) => void;
}

export function figures(options: FiguresOptions): TemplateResult | typeof nothing {
  const { samples, diagnostics, open, onToggle } = options;
  const { numbers, logprobs, lengths } = summarize(samples);
  if (!numbers) return nothing;
  return html`<details
    class="statistics"
    ?open=${open}
    @toggle=${(event: Event) => onToggle((event.currentTarget as HTMLDetailsElement).open)}
  >
    <summary class="line">
      <h2>Statistics</h2>
      <span class="muted"
        >perplexity ${formatNumber(numbers.perplexity, 3)}, ${formatNumber(numbers.tokens)}
        tokens</span
      >
    </summary>
    <div class="figures-body">
      <dl>
        ${line('Samples', formatNumber(numbers.samples))}
        ${line('Tokens', formatNumber(numbers.tokens))}
        ${line('Perplexity', formatNumber(numbers.perplexity, 3), perplexityHelp)}
        ${line('Mean length', `${formatNumber(numbers.meanLength, 3)} tokens`)}
        ${line('Repetition', percent(numbers.meanRepetition), repetitionHelp)}
        ${line('Ended with EOS', percent(numbers.ended), endedHelp)}
        ${diagnostics ? setLines(diagnostics) : nothing}
      </dl>
      ${
        diagnostics
          ? nothing
          : html`<p class="muted">
              Variety and duplicates are counted once all samples are generated.
            </p>`
      }
      ${chart('Mean log-probability', 'nats per token', logprobs, numbers.meanLogprob)}
      ${chart('Length', 'tokens', lengths, numbers.length)}
    </div>
  </details>`;
}

const perplexityHelp =
  'How many tokens the model was choosing between, on average: 1 means it was always certain';
const repetitionHelp = 'Share of 4-grams that occur earlier in the same sample';
const endedHelp = 'Samples that ended with an EOS token before the maximum length';

function setLines(diagnostics: SetDiagnostics): TemplateResult {
  const { distinct1, distinct2, distinct3, exactDuplicates, nearDuplicates } = diagnostics;
  const distinct = [distinct1, distinct2, distinct3]
    .map((share) => (share === null ? '–' : percent(share)))
    .join(', ');
  return html`${line(
    'Distinct 1-, 2-, 3-grams',
    distinct,
    'Distinct n-grams over all n-grams in the set: higher is more varied',
  )}
  ${line('Duplicates', formatNumber(exactDuplicates), 'Samples identical to an earlier one')}
  ${line(
    'Near duplicates',
    formatNumber(nearDuplicates),
    'Identical to an earlier one except for case, punctuation and spaces',
  )}
  ${line(
    'Token entropy',
    `${formatNumber(diagnostics.tokenEntropy, 3)} nats`,
    'How evenly the set uses the vocabulary: higher is more varied',
  )}`;
}

function line(name: string, value: string, help?: string): TemplateResult {
  return html`<div title=${help ?? nothing}>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

/** In the units of the drawing; CSS stretches it to the width there is. */
const chartHeight = 40;

function chart(
  name: string,
  unit: string,
  counts: readonly number[],
  spread: Quartiles,
): TemplateResult {
  const highest = Math.max(1, ...counts);
  const value = (number: number): string => formatNumber(number, 3);
  const half = `${value(spread.q25)} to ${value(spread.q75)}`;
  const all = `${value(spread.min)} to ${value(spread.max)}`;
  const summary = `${name}, ${unit}: from ${all}, middle half from ${half}`;
  return html`<figure>
    <figcaption>${name}, <span class="muted">${unit}</span></figcaption>
    <svg
      role="img"
      aria-label=${summary}
      viewBox=${`0 0 ${bins} ${chartHeight}`}
      preserveAspectRatio="none"
    >
      ${counts.map((count, bin) => {
        const height = (chartHeight * count) / highest;
        const y = chartHeight - height;
        return svg`<rect x=${bin + 0.1} y=${y} width="0.8" height=${height}></rect>`;
      })}
    </svg>
    <div class="axis muted">
      <span>${value(spread.min)}</span>
      <span>middle half: ${half}</span>
      <span>${value(spread.max)}</span>
    </div>
  </figure>`;
}

function percent(share: number): string {
  return `${formatNumber(100 * share, 3)} %`;
}
