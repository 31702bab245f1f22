/** What can be set about all curves at once. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { taskKey } from '../../../src/protocol/curveData.js';
import type { TaskScore } from '../../../src/protocol/records.js';
import { button, checkbox, segments, slider } from '../../shared/toolkit.js';
import { toggled, type CurvesState } from './state.js';

export interface ControlsOptions {
  state: CurvesState;
  tasks: readonly TaskScore[];
  picker: TemplateResult;
  change: (part: Partial<CurvesState>) => void;
  onCsv: () => void;
}

export function controls({ state, tasks, picker, change, onCsv }: ControlsOptions): TemplateResult {
  const percent = Math.round(state.smoothing * 100);
  return html`<div class="controls">
    <div class="control">
      <span aria-hidden="true">Tasks as</span>
      ${segments({
        label: 'Tasks as',
        value: state.measure,
        options: [
          { value: 'change', label: 'Change from base' },
          { value: 'score', label: 'Score' },
        ],
        onChange: (measure) => change({ measure }),
      })}
    </div>
    <div class="control">
      <label for="smoothing">Smooth the loss</label>
      ${slider({
        id: 'smoothing',
        value: percent,
        min: 0,
        max: 99,
        step: 1,
        valueText: percent === 0 ? 'off' : `${percent} %`,
        onInput: (value) => change({ smoothing: value / 100 }),
      })}
      <output for="smoothing">${percent === 0 ? 'off' : `${percent} %`}</output>
    </div>
    <div class="control">
      ${checkbox({
        checked: state.intervals,
        label: '95 % intervals of scores',
        onChange: (intervals) => change({ intervals }),
      })}
    </div>
    <div class="control">${button('Save all as CSV', { kind: 'secondary', onClick: onCsv })}</div>
    <div class="pickers">
      ${picker} ${tasks.length > 0 ? taskPicker(state, tasks, change) : nothing}
    </div>
  </div>`;
}

function taskPicker(
  { leftOut }: CurvesState,
  tasks: readonly TaskScore[],
  change: ControlsOptions['change'],
): TemplateResult {
  const shown = tasks.filter((task) => !leftOut.includes(taskKey(task)));
  return html`<details class="picker">
    <summary>Tasks: ${shown.length} of ${tasks.length}</summary>
    <ul class="checklist" aria-label="Tasks" tabindex="0">
      ${tasks.map((task) => {
        const key = taskKey(task);
        return html`<li>
          ${checkbox({
            checked: !leftOut.includes(key),
            label: task.task,
            onChange: () => change({ leftOut: toggled(leftOut, key) }),
          })}<span class="muted">${task.metric}</span>
        </li>`;
      })}
    </ul>
  </details>`;
}
