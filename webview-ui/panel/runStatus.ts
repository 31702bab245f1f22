/** What a run is doing, on top of its curves, with what can be done about it. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { formatNumber } from '../../src/protocol/format.js';
import { methodLabel } from '../../src/methods/index.js';
import type { RunAction, RunInfo } from '../../src/protocol/runInfo.js';
import { phaseWords, stateWords, timeLeft } from '../../src/protocol/runWords.js';
import { button } from '../shared/toolkit.js';

export interface RunStatusOptions {
  run: RunInfo;
  label: string;
  onAction: (action: RunAction) => void;
}

const signs: Record<RunInfo['state'], string> = {
  queued: '…',
  running: '▶',
  interrupted: '!',
  stopped: '■',
  finished: '✓',
  failed: '✕',
};

export function runStatus({ run, label, onAction }: RunStatusOptions): TemplateResult {
  const act = (action: RunAction, text: string): TemplateResult =>
    button(text, {
      kind: 'secondary',
      label: `${text}: ${label}`,
      onClick: () => onAction(action),
    });
  const { state, method, problem } = run;
  const canStop = state === 'running' || state === 'queued';
  const canResume = state === 'interrupted' || state === 'stopped' || state === 'failed';
  return html`<section
    class="run-status"
    data-run=${run.id}
    data-state=${state}
    aria-label=${label}
  >
    <div class="run-line">
      <span class="run-sign" aria-hidden="true">${signs[state]}</span>
      <strong>${label}</strong>
      <span class="muted">${method ? methodLabel(method) : nothing}</span>
      <span>${stateWords[state]}</span>
      <span class="muted">${doing(run)}</span>
      <span class="run-actions">
        ${canStop ? act('stop', 'Stop') : nothing} ${canResume ? act('resume', 'Resume') : nothing}
        ${run.hasReport ? act('report', 'Report') : nothing}
      </span>
    </div>
    ${state === 'running' ? progress(run) : nothing}
    ${
      problem && state === 'failed'
        ? html`<div class="error">${problem.message} ${problem.remedy}</div>`
        : nothing
    }
  </section>`;
}

/** What it does now, or how far it came. */
function doing(run: RunInfo): string {
  if (run.state !== 'running') return run.step > 0 ? `${run.step} steps` : '';
  const parts = [
    run.phase ? phaseWords[run.phase] : 'Starting',
    run.total > 0 ? `${run.progress} of ${run.total}` : '',
    run.tokens === undefined ? '' : `${formatNumber(run.tokens)} tokens`,
    run.tokensPerSecond === null ? '' : `${formatNumber(run.tokensPerSecond, 3)} tokens/s`,
    timeLeft(run) ?? '',
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function progress({ phase, progress: done, total }: RunInfo): TemplateResult {
  const label = phase ? phaseWords[phase] : 'Starting';
  return total > 0
    ? html`<progress aria-label=${label} max=${total} .value=${done}></progress>`
    : html`<progress aria-label=${label}></progress>`;
}
