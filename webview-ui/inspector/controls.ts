/** Sorting, filtering and what can be done with all samples shown: the bar above the list. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { button, checkbox, dropdown, rowButton, textField } from '../shared/toolkit.js';
import { shadeLabels } from './text.js';
import {
  countFilters,
  isBroken,
  noFilters,
  rangeKeys,
  type RangeKey,
  type SortKey,
  type View,
} from './view.js';

export interface ControlsOptions {
  view: View;
  filtersOpen: boolean;
  /** Samples shown, and all there are. */
  shown: number;
  all: number;
  /** Of those shown, how many are excluded. */
  shownExcluded: number;
  /** Of all, how many are excluded. */
  excluded: number;
  settled: string | undefined;
  /** How many samples “Include all again” would include; 0 where there is nothing to undo. */
  undo: number;
  onView: (part: Partial<View>) => void;
  onFiltersOpen: (open: boolean) => void;
  /** Excludes or includes all samples shown. */
  onExclude: (excluded: boolean) => void;
  onUndo: () => void;
}

const sortLabels: Record<SortKey, string> = {
  written: 'As generated',
  meanLogprob: 'Log-probability',
  length: 'Length',
  repetition: 'Repetition',
};
const rangeLabels: Record<RangeKey, { name: string; unit: string }> = {
  meanLogprob: { name: 'Log-probability', unit: 'mean, nats per token' },
  length: { name: 'Length', unit: 'tokens' },
  repetition: { name: 'Repetition', unit: '%' },
};

export function controls(options: ControlsOptions): TemplateResult {
  const { view, filtersOpen, shown, all, excluded, onView, onFiltersOpen } = options;
  const narrowing = countFilters({ ...view, search: '' });
  const order = view.descending ? 'descending' : 'ascending';
  return html`<div class="toolbar-row controls">
      <span class="grow"
        >${textField({
          value: view.search,
          label: 'Search the samples',
          labelHidden: true,
          placeholder: 'Search',
          onInput: (search) => onView({ search }),
        })}</span
      >
      ${button(narrowing === 0 ? 'Filter' : `Filter (${narrowing})`, {
        kind: 'secondary',
        title: 'Filter by range, or show only excluded samples',
        expanded: filtersOpen,
        onClick: () => onFiltersOpen(!filtersOpen),
      })}
      ${dropdown({
        value: view.sort,
        label: 'Sort by',
        options: Object.entries(sortLabels).map(([value, label]) => ({ value, label })),
        onChange: (value) => onView({ sort: value as SortKey }),
      })}
      ${button(view.descending ? '↓' : '↑', {
        kind: 'icon',
        label: `Order: ${order}`,
        title: `Order: ${order}`,
        onClick: () => onView({ descending: !view.descending }),
      })}
    </div>
    ${filtersOpen ? filterFields(options) : nothing}
    <div class="toolbar-row">
      <span class="count muted" aria-live="polite"
        >${shown === all ? `${all} samples` : `${shown} of ${all} samples`}${
          excluded === 0 ? nothing : `, ${excluded} excluded`
        }</span
      >
      ${
        options.settled === undefined
          ? bulk(options)
          : html`<span class="line muted" title=${options.settled}>· trained on</span>`
      }
    </div>`;
}

function filterFields(options: ControlsOptions): TemplateResult {
  const { view, onView } = options;
  return html`<div class="filters" role="group" aria-label="Filters">
    ${rangeKeys.map((key) => rangeFields(key, options))}
    <div class="toolbar-row">
      ${checkbox({
        checked: view.onlyExcluded,
        label: 'Only excluded',
        onChange: (onlyExcluded) => onView({ onlyExcluded }),
      })}
      ${
        countFilters(view) === 0
          ? nothing
          : button('Clear filters', { kind: 'secondary', onClick: () => onView(noFilters) })
      }
    </div>
  </div>`;
}

function rangeFields(key: RangeKey, { view, onView }: ControlsOptions): TemplateResult {
  const { name, unit } = rangeLabels[key];
  const range = view.ranges[key];
  const field = (bound: 'min' | 'max', label: string): TemplateResult =>
    textField({
      value: range[bound],
      label: `${name} ${label} (${unit})`,
      labelHidden: true,
      placeholder: label,
      invalid: isBroken(range[bound]),
      onInput: (text) => onView({ ranges: { ...view.ranges, [key]: { ...range, [bound]: text } } }),
    });
  return html`<div class="range">
    <span>${name} <span class="muted">${unit}</span></span>
    ${field('min', 'at least')} ${field('max', 'at most')}
    ${
      isBroken(range.min) || isBroken(range.max)
        ? html`<span class="error" role="alert">Enter a number, such as −1.5.</span>`
        : nothing
    }
  </div>`;
}

function bulk(options: ControlsOptions): TemplateResult {
  const { shown, shownExcluded, undo, onExclude, onUndo } = options;
  const include = shown > 0 && shownExcluded === shown;
  const filtered = countFilters(options.view) > 0;
  return html`${
    filtered
      ? rowButton(include ? 'Include all shown' : 'Exclude all shown', {
          label: include ? 'Include all shown' : 'Exclude all shown',
          disabled: shown === 0,
          title: 'Excluded samples are not trained on; nothing is deleted',
          tabIndex: 0,
          onClick: () => onExclude(!include),
        })
      : nothing
  }
  ${
    undo > 0
      ? html`<span role="status">${undo} excluded.</span> ${rowButton('Include all again', {
            label: 'Include all again',
            tabIndex: 0,
            onClick: onUndo,
          })}`
      : nothing
  }`;
}

/** What the shades mean, in one line. */
export function legend(): TemplateResult {
  return html`<p
    class="legend line muted"
    title="The probability that the model gave each token, in percent"
  >
    Probability in %:
    ${shadeLabels.map(
      (label, shade) => html`<span class=${`token shade-${shade}`}>${label}</span> `,
    )}
  </p>`;
}
