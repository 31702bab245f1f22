/**
 * What is shown above the samples: which run they belong to, how many are generated, the verdict on
 * the BOS token, and what to do if there are none.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import { formatNumber } from '../../src/protocol/format.js';
import type { Until } from '../../src/protocol/engine.js';
import type { InspectorState } from '../../src/protocol/inspector.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { timeLeft } from '../../src/protocol/runWords.js';
import { recordedFailure } from '../shared/failure.js';
import { button, dropdown, progressRing } from '../shared/toolkit.js';

export interface HeadingOptions {
  host: InspectorState;
  run: RunInfo;
  /** Samples that the page has. */
  samples: number;
  /** A request that is under way; its buttons wait. */
  busy: boolean;
  onSelect: (runId: string) => void;
  /** Whether the reasons of the verdict are unfolded. */
  verdictOpen: boolean;
  onVerdictOpen: (open: boolean) => void;
  /** Without a token, people are asked for one. */
  onChangeBos: (tokenId?: number) => void;
  onResume: (until: Until) => void;
}

export function heading(options: HeadingOptions): TemplateResult {
  const { host, run, onSelect } = options;
  return html`${
    host.runs.length > 1
      ? dropdown({
          value: run.id,
          label: 'Run',
          options: host.runs.map(({ id, name, created }) => ({
            value: id,
            label: `${name} (${shortDate(created)})`,
          })),
          onChange: onSelect,
        })
      : html`<h2>${run.name}</h2>`
  }
  ${progress(options)} ${about(options)}`;
}

/** No run has samples, or will have. */
export function welcome(onOpenMix: () => void): TemplateResult {
  return html`<div class="welcome">
    <h2>No samples yet</h2>
    <p>
      A model that learns your data tends to forget what it could do before. Context-free samples
      prevent that: texts that your base model generates from nothing but its BOS token, the token
      that starts a text. Training on some of them alongside your data reminds it of what it knows.
    </p>
    <p>Choose a dataset, and the samples will appear here as they are generated.</p>
    ${button('Generate samples for a dataset…', { onClick: onOpenMix })}
  </div>`;
}

export function loading(): TemplateResult {
  return html`<div class="loading">${progressRing('Loading')} <span>Loading…</span></div>`;
}

function progress(options: HeadingOptions): TemplateResult | typeof nothing {
  const { run, samples, host } = options;
  const count = Math.max(samples, run.samples);
  const isComplete = host.diagnostics !== undefined;
  switch (run.state) {
    case 'queued':
      return html`<p role="status">Waiting for another run to end.</p>`;
    case 'running':
      return running(run, count, isComplete);
    case 'interrupted':
    case 'stopped':
    case 'failed':
      return html`${run.problem ? recordedFailure(run.problem) : nothing}
      ${run.trained ? nothing : resumeNotice(options, count, isComplete)}`;
    case 'finished':
      return nothing;
  }
}

function running(run: RunInfo, count: number, isComplete: boolean): TemplateResult {
  if (run.phase === 'generating' && !isComplete) {
    const total = run.total > 0 ? ` of ${run.total}` : '';
    const tokens = run.tokens === undefined ? '' : `, ${formatNumber(run.tokens)} tokens written`;
    const left = timeLeft(run);
    return html`<div class="progress">
      <progress
        aria-label="Samples generated"
        max=${run.total > 0 ? run.total : nothing}
        value=${run.total > 0 ? count : nothing}
      ></progress>
      <span>${count}${total} generated${tokens}${left ? `, ${left}` : nothing}</span>
    </div>`;
  }
  const doing = run.trained
    ? 'The run is training on them now.'
    : isComplete
      ? 'All samples are generated; training will start soon.'
      : 'Loading the base model; the first samples will appear in a moment.';
  return html`<p role="status" class="muted">${doing}</p>`;
}

function resumeNotice(
  { run, busy, onResume }: HeadingOptions,
  count: number,
  isComplete: boolean,
): TemplateResult {
  const total = run.total > 0 && run.phase === 'generating' ? ` of ${run.total}` : '';
  const resume = (label: string, until: Until, title: string): TemplateResult =>
    button(label, {
      kind: until === 'end' && !isComplete ? 'secondary' : 'primary',
      title,
      disabled: busy,
      onClick: () => onResume(until),
    });
  if (isComplete) {
    return html`<div class="notice">
      <p>The samples are ready. Read them, exclude those you do not want, then train.</p>
      ${resume('Train on These Samples', 'end', 'Trains on all samples that are not excluded')}
    </div>`;
  }
  return html`<div class="notice">
    <p>Stopped after ${count}${total} samples.</p>
    <div class="buttons">
      ${resume('Resume Generating', 'samples', 'Generates the missing samples, then waits for you to read them')}
      ${resume('Resume the Run', 'end', 'Generates the missing samples, then trains on all of them')}
    </div>
  </div>`;
}

/** The verdict in one line; its reason, the BOS token and why nothing can be changed unfold. */
function about(options: HeadingOptions): TemplateResult | typeof nothing {
  const { host, verdictOpen, onVerdictOpen } = options;
  const { bos, verdict, settled } = host;
  if (!bos && settled === undefined) return nothing;
  const line = verdict
    ? verdict.coherent
      ? '✓ Samples read like text'
      : '⚠ Samples do not read like text'
    : bos
      ? `BOS token ${bos.token}`
      : 'About these samples';
  return html`<details
    class=${verdict?.coherent === false ? 'verdict notice warning' : 'verdict'}
    ?open=${verdictOpen}
    @toggle=${(event: Event) => onVerdictOpen((event.currentTarget as HTMLDetailsElement).open)}
  >
    <summary title=${verdict?.reason ?? nothing}>${line}</summary>
    ${verdict ? html`<p>${verdict.reason}</p>` : nothing} ${bos ? bosLines(options, bos) : nothing}
    ${settled === undefined ? nothing : html`<p>${settled}</p>`}
  </details>`;
}

function bosLines(
  { host, busy, onChangeBos }: HeadingOptions,
  { id, token, reason }: NonNullable<InspectorState['bos']>,
): TemplateResult {
  const better = host.verdict?.betterTokenId;
  const change = 'Generates the samples again from another token, as a new run';
  return html`${
      host.verdict ? nothing : html`<p class="muted">Checking whether they read like text…</p>`
    }
    <p>BOS token <code>${token}</code> <span class="muted">(${id})</span>: ${reason}</p>
    <div class="buttons">
      ${
        better === undefined
          ? nothing
          : button(`Use token ${better}`, {
              title: change,
              disabled: busy,
              onClick: () => onChangeBos(better),
            })
      }
      ${button('Change…', {
        kind: 'secondary',
        label: 'Change the BOS token…',
        title: change,
        disabled: busy,
        onClick: () => onChangeBos(),
      })}
    </div>`;
}

/** In the user's own time zone and manner. */
function shortDate(created: string): string {
  const date = new Date(created);
  if (Number.isNaN(date.getTime())) return created;
  return date.toLocaleString(undefined, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
}
