/** Items that one model answers rightly and another wrongly, to be read one by one. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { z } from 'zod';
import { itemChanges, type ItemComparison } from '../../../src/protocol/panel.js';
import { failure } from '../../shared/failure.js';
import { button, dropdown, progressRing, segments } from '../../shared/toolkit.js';
import type { PanelRpc } from '../page.js';
import type { ItemTask } from './rows.js';

export const itemsStateSchema = z.object({
  /** A run, or `base`. */
  from: z.string().optional(),
  to: z.string().optional(),
  /** Key of the task. */
  task: z.string().optional(),
  change: z.enum(itemChanges),
  offset: z.int().nonnegative(),
});
export type ItemsState = z.infer<typeof itemsStateSchema>;
export const freshItems: ItemsState = { change: 'right-to-wrong', offset: 0 };

export interface ItemsOptions {
  state: ItemsState;
  /** Runs with results, by id. */
  runs: readonly { id: string; label: string }[];
  tasks: readonly ItemTask[];
  change: (state: ItemsState) => void;
}

export interface ItemsBrowser {
  render(options: ItemsOptions): TemplateResult;
}

/** Items on a page. */
const pageSize = 10;
const base = 'base';

interface Shown {
  total: number;
  items: readonly ItemComparison[];
}

export function createItemsBrowser(rpc: PanelRpc, redraw: () => void): ItemsBrowser {
  let asked = '';
  let shown: Shown | undefined;
  let problem: unknown;

  const load = (wanted: Parameters<typeof ask>[0]): void => {
    const key = JSON.stringify(wanted);
    if (key === asked) return;
    asked = key;
    shown = undefined;
    problem = undefined;
    const settle = (act: () => void): void => {
      // Another question has been asked since.
      if (asked !== key) return;
      act();
      redraw();
    };
    ask(wanted).then(
      (answer) => settle(() => (shown = answer)),
      (error: unknown) => settle(() => (problem = error)),
    );
  };
  const ask = (wanted: {
    from: string;
    to: string;
    task: string;
    metric: string;
    change: ItemsState['change'];
    offset: number;
    limit: number;
  }): Promise<Shown> => rpc.request('items', wanted);

  return {
    render: (options) => {
      const choice = choose(options);
      if (choice === undefined)
        return html`<p class="muted">
          There are no items to read: these runs have no results yet, or their tasks have no right
          and wrong answers.
        </p>`;
      const { from, to, task } = choice;
      const { change, offset } = options.state;
      if (from !== to) {
        load({ from, to, task: task.task, metric: task.metric, change, offset, limit: pageSize });
      }
      const labelOf = (id: string): string =>
        id === base ? 'Base model' : (options.runs.find((run) => run.id === id)?.label ?? id);
      return html`
        ${itemControls(options, choice)}
        ${
          from === to
            ? html`<p class="muted">Choose two different models.</p>`
            : problem !== undefined
              ? failure(problem)
              : shown === undefined
                ? progressRing('Reading items')
                : list(shown, options, labelOf(from), labelOf(to))
        }
      `;
    },
  };
}

interface Choice {
  from: string;
  to: string;
  task: ItemTask;
}

/** What is chosen as far as it still exists, else the base model beside the first run. */
export function choose({ state, runs, tasks }: Omit<ItemsOptions, 'change'>): Choice | undefined {
  const task = tasks.find(({ key }) => key === state.task) ?? tasks[0];
  const [first] = runs;
  if (task === undefined || first === undefined) return undefined;
  const known = (id: string | undefined): id is string =>
    id === base || runs.some((run) => run.id === id);
  return {
    from: known(state.from) ? state.from : base,
    to: known(state.to) ? state.to : first.id,
    task,
  };
}

function itemControls(options: ItemsOptions, choice: Choice): TemplateResult {
  const { state, runs, tasks, change } = options;
  const models = [
    { value: base, label: 'Base model' },
    ...runs.map(({ id, label }) => ({ value: id, label })),
  ];
  const set = (part: Partial<ItemsState>): void => change({ ...state, ...part, offset: 0 });
  const labelled = (label: string, control: TemplateResult): TemplateResult =>
    html`<div class="control"><span aria-hidden="true">${label}</span>${control}</div>`;
  return html`<div class="controls">
    ${labelled(
      'From',
      dropdown({
        label: 'From',
        value: choice.from,
        options: models,
        onChange: (from) => set({ from }),
      }),
    )}
    ${labelled(
      'To',
      dropdown({ label: 'To', value: choice.to, options: models, onChange: (to) => set({ to }) }),
    )}
    ${labelled(
      'Task',
      dropdown({
        label: 'Task',
        value: choice.task.key,
        options: tasks.map(({ key, task, metric }) => ({
          value: key,
          label: `${task} (${metric})`,
        })),
        onChange: (task) => set({ task }),
      }),
    )}
    ${segments({
      label: 'Which items',
      value: state.change,
      options: [
        { value: 'right-to-wrong', label: 'Right → wrong' },
        { value: 'wrong-to-right', label: 'Wrong → right' },
      ],
      onChange: (wanted) => set({ change: wanted }),
    })}
  </div>`;
}

function list(
  { total, items }: Shown,
  { state, change }: ItemsOptions,
  from: string,
  to: string,
): TemplateResult {
  if (total === 0) return html`<p class="muted" role="status">No such items.</p>`;
  const last = Math.min(state.offset + items.length, total);
  const move = (offset: number): void => change({ ...state, offset: Math.max(0, offset) });
  return html`
    <div class="pages" role="status">${state.offset + 1} to ${last} of ${total}</div>
    <ol class="items" start=${state.offset + 1}>
      ${repeat(
        items,
        ({ id }) => id,
        (each) => item(each, from, to),
      )}
    </ol>
    ${
      total > pageSize
        ? html`<div class="pages">
            ${button('Previous', {
              kind: 'secondary',
              disabled: state.offset === 0,
              onClick: () => move(state.offset - pageSize),
            })}
            ${button('Next', {
              kind: 'secondary',
              disabled: last >= total,
              onClick: () => move(state.offset + pageSize),
            })}
          </div>`
        : nothing
    }
  `;
}

function item(
  { prompt, expected, from, to }: ItemComparison,
  fromLabel: string,
  toLabel: string,
): TemplateResult {
  const answer = (label: string, given: ItemComparison['from']): TemplateResult =>
    html`<div class="answer">
      <h4>${given.correct ? '✓ right' : '✕ wrong'}: ${label}</h4>
      <div class="item-text">${given.answer === '' ? '(nothing)' : given.answer}</div>
    </div>`;
  return html`<li class="card">
    <h4>Prompt</h4>
    <div class="item-text">${prompt}</div>
    <div class="answers">
      <div class="answer">
        <h4>Expected</h4>
        <div class="item-text">${expected}</div>
      </div>
      ${answer(fromLabel, from)} ${answer(toLabel, to)}
    </div>
  </li>`;
}
