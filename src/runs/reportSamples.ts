/**
 * The samples of a report: what the base model generated from its BOS token alone, each token shaded
 * by how unlikely the model found it. Reading a few is the quickest check of the whole method.
 */
import { formatNumber } from '../protocol/format.js';
import type { SampleRecord } from '../protocol/records.js';
import { escapeHtml } from './html.js';

/** Probabilities below which a token is shaded by one step more. */
const thresholds = [0.5, 0.2, 0.05, 0.01, 0.001];
const shownAtOnce = 4;
export const mostSamples = 50;

export function renderSamples(samples: readonly SampleRecord[]): string {
  if (samples.length === 0) return '';
  const shown = samples.slice(0, mostSamples).map(renderSample);
  const rest = shown.slice(shownAtOnce);
  const steps = thresholds.map((p, i) => `<i class="p${i + 1}">under ${p * 100} %</i>`);
  const more =
    rest.length === 0
      ? ''
      : `<details><summary>Show ${rest.length} more</summary>${rest.join('')}</details>`;
  return `<h2>Context-free samples</h2>
<p class="muted">What the base model generates from its BOS token alone: the first ${shown.length}.
 A token is shaded by the probability the model gave it:</p>
<p class="muted legend">${steps.join(' ')}</p>
${shown.slice(0, shownAtOnce).join('\n')}
${more}`;
}

function renderSample(sample: SampleRecord): string {
  const { index, tokens, logprobs, entropy, stop } = sample;
  const total = logprobs.reduce((sum, value) => sum + value, 0);
  const facts = [
    `sample ${index}`,
    `${tokens.length} tokens`,
    `perplexity ${formatNumber(Math.exp(-total / logprobs.length))}`,
    `mean entropy ${formatNumber(entropy)} nats`,
    stop === 'eos' ? 'ended with EOS' : 'cut off at the maximum length',
  ];
  return `<article class="panel sample"><header>${escapeHtml(facts.join(' · '))}</header>
<pre>${renderTokens(sample)}</pre></article>`;
}

/** Neighbours of the same shade share an element: a page of samples has many thousand tokens. */
function renderTokens({ pieces, logprobs }: SampleRecord): string {
  const spans: { shade: number; text: string }[] = [];
  pieces.forEach((piece, i) => {
    const shade = shadeOf(logprobs[i] ?? 0);
    const last = spans.at(-1);
    if (last?.shade === shade) last.text += piece;
    else spans.push({ shade, text: piece });
  });
  return spans
    .map(({ shade, text }) => {
      const safe = escapeHtml(text);
      return shade === 0 ? safe : `<i class="p${shade}">${safe}</i>`;
    })
    .join('');
}

function shadeOf(logprob: number): number {
  return thresholds.filter((threshold) => Math.exp(logprob) < threshold).length;
}
