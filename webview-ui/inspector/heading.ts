/**
 * What stands above the samples: which run they are of, how far they are written, the verdict on
 * the start token, and what to do where there are none.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import { formatSeconds } from '../../src/protocol/format.js';
import type { Until } from '../../src/protocol/engine.js';
import type { InspectorState } from '../../src/protocol/inspector.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
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
      prevent that: texts that your base model writes by itself, from nothing but its start token.
      Training on some of them beside your data reminds it of what it knows.
    </p>
    <p>Choose a dataset, and the samples appear here while they are written.</p>
    ${button('Write samples for a dataset…', { onClick: onOpenMix })}
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
      return html`<p role="status">Waits until another run has ended.</p>`;
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
    const left = run.secondsLeft === null ? '' : `, ${formatSeconds(run.secondsLeft)} left`;
    return html`<div class="progress">
      <progress
        aria-label="Samples written"
        max=${run.total > 0 ? run.total : nothing}
        value=${run.total > 0 ? count : nothing}
      ></progress>
      <span>${count}${total} written${left}</span>
    </div>`;
  }
  const doing = run.trained
    ? 'The run is training on them now.'
    : isComplete
      ? 'All samples are written; training begins soon.'
      : 'The base model is being loaded; the first samples come in a moment.';
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
      ${resume('Resume Writing', 'samples', 'Writes the missing samples, and waits for you to read')}
      ${resume('Resume the Run', 'end', 'Writes the missing samples, and trains on all at once')}
    </div>
  </div>`;
}

/** The verdict in one line; its reason, the start token and why nothing can be changed unfold. */
function about(options: HeadingOptions): TemplateResult | typeof nothing {
  const { host, verdictOpen, onVerdictOpen } = options;
  const { bos, verdict, settled } = host;
  if (!bos && settled === undefined) return nothing;
  const line = verdict
    ? verdict.coherent
      ? '✓ Samples read like text beginnings'
      : '⚠ Samples do not read like text beginnings'
    : bos
      ? `Start token ${bos.token}`
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
  const change = 'Writes the samples again from another token, as a new run';
  return html`${
      host.verdict
        ? nothing
        : html`<p class="muted">Whether they read like texts is judged soon.</p>`
    }
    <p>Start token <code>${token}</code> <span class="muted">(${id})</span>: ${reason}</p>
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
        label: 'Change the start token…',
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
