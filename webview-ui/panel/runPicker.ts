/** Which runs a page is about: a list to tick, folded away, the same on Curves and Compare. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { methodLabel } from '../../src/methods/index.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { stateWords } from '../../src/protocol/runWords.js';
import { checkbox } from '../shared/toolkit.js';

/** As many runs as the host watches and compares at once. */
export const mostRuns = 12;

export interface RunPickerOptions {
  runs: readonly RunInfo[];
  labels: ReadonlyMap<string, string>;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

export function runPicker({ runs, labels, chosen, onChange }: RunPickerOptions): TemplateResult {
  const isFull = chosen.length >= mostRuns;
  const item = ({ id, method, state }: RunInfo): TemplateResult => {
    const checked = chosen.includes(id);
    const about = [method && methodLabel(method), stateWords[state]].filter(Boolean).join(', ');
    return html`<li>
      ${checkbox({
        checked,
        label: labels.get(id) ?? id,
        disabled: (isFull && !checked) || (checked && chosen.length === 1),
        onChange: (on) => onChange(on ? [...chosen, id] : chosen.filter((each) => each !== id)),
      })}<span class="muted">${about}</span>
    </li>`;
  };
  return html`<details class="picker">
    <summary>Runs: ${chosen.length} of ${runs.length}</summary>
    <ul class="checklist" aria-label="Runs" tabindex="0">
      ${repeat(runs, ({ id }) => id, item)}
    </ul>
    ${isFull ? html`<p class="muted">No more than ${mostRuns} runs at once.</p>` : nothing}
  </details>`;
}
