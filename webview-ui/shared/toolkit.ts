/**
 * The one file that knows the webview UI toolkit. The toolkit is archived: pages ask for controls by
 * what they are, so that another library can take its place here and nowhere else.
 *
 * Each function returns a template; values reach the DOM as properties or text, never as HTML.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeLink,
  vsCodeOption,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeProgressRing,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { html, nothing, type TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { repeat } from 'lit-html/directives/repeat.js';

export type Content = TemplateResult | string | typeof nothing;

/** Must be called once, before anything is drawn. */
export function registerControls(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeCheckbox(),
    vsCodeDropdown(),
    vsCodeLink(),
    vsCodeOption(),
    vsCodePanels(),
    vsCodePanelTab(),
    vsCodePanelView(),
    vsCodeProgressRing(),
    vsCodeTextField(),
  );
}

export interface ButtonOptions {
  onClick: () => void;
  kind?: 'primary' | 'secondary' | 'icon';
  disabled?: boolean;
  /** What screen readers say where the content alone does not tell. */
  label?: string;
  title?: string;
  /** For buttons that stay pressed. */
  pressed?: boolean;
  /** For buttons that open and close something. */
  expanded?: boolean;
}

export function button(content: Content, options: ButtonOptions): TemplateResult {
  const { onClick, kind = 'primary', disabled = false, label, title, pressed, expanded } = options;
  return html`<vscode-button
    appearance=${kind}
    ?disabled=${disabled}
    aria-label=${label ?? nothing}
    aria-pressed=${pressed ?? nothing}
    aria-expanded=${expanded ?? nothing}
    title=${title ?? nothing}
    @click=${onClick}
    >${content}</vscode-button
  >`;
}

export interface RowButtonOptions {
  onClick: () => void;
  /** What screen readers say; it begins with the content. */
  label: string;
  title?: string;
  disabled?: boolean;
  /** For buttons that open and close something. */
  expanded?: boolean;
  tabIndex: 0 | -1;
}

/** A plain button for rows of long lists, where a control of the toolkit would cost a frame each. */
export function rowButton(content: string, options: RowButtonOptions): TemplateResult {
  const { onClick, label, title, disabled = false, expanded, tabIndex } = options;
  return html`<button
    class="row-button"
    type="button"
    tabindex=${tabIndex}
    ?disabled=${disabled}
    aria-label=${label}
    aria-expanded=${expanded ?? nothing}
    title=${title ?? nothing}
    @click=${onClick}
  >
    ${content}
  </button>`;
}

export interface TextFieldOptions {
  id?: string;
  value: string;
  label: string;
  /** Hide the label from sight; it is still read aloud. */
  labelHidden?: boolean;
  placeholder?: string;
  disabled?: boolean;
  invalid?: boolean;
  /** Id of the element that explains the field. */
  describedBy?: string;
  onInput: (value: string) => void;
}

export function textField(options: TextFieldOptions): TemplateResult {
  const { id, value, label, labelHidden = false, placeholder, disabled = false } = options;
  // The toolkit reads the label aloud from the content alone, and overwrites any other.
  return html`<vscode-text-field
    class=${labelHidden ? 'label-hidden' : nothing}
    id=${id ?? nothing}
    .value=${live(value)}
    placeholder=${placeholder ?? nothing}
    ?disabled=${disabled}
    aria-invalid=${options.invalid === true ? 'true' : nothing}
    aria-describedby=${options.describedBy ?? nothing}
    @input=${(event: Event) => options.onInput(valueOf(event))}
    >${label}</vscode-text-field
  >`;
}

export interface DropdownOptions {
  id?: string;
  value: string;
  label: string;
  options: readonly { value: string; label: string }[];
  disabled?: boolean;
  describedBy?: string;
  onChange: (value: string) => void;
}

/** Its label is read aloud only; show one beside it. */
export function dropdown(options: DropdownOptions): TemplateResult {
  const { id, value, label, disabled = false, describedBy, onChange } = options;
  return html`<vscode-dropdown
    id=${id ?? nothing}
    aria-label=${label}
    aria-describedby=${describedBy ?? nothing}
    ?disabled=${disabled}
    .value=${live(value)}
    @change=${(event: Event) => onChange(valueOf(event))}
    >${repeat(
      options.options,
      (option) => option.value,
      (option) =>
        html`<vscode-option .value=${option.value} ?selected=${option.value === value}
          >${option.label}</vscode-option
        >`,
    )}</vscode-dropdown
  >`;
}

export interface CheckboxOptions {
  checked: boolean;
  label: string;
  disabled?: boolean;
  describedBy?: string;
  onChange: (checked: boolean) => void;
}

export function checkbox(options: CheckboxOptions): TemplateResult {
  const { checked, label, disabled = false, describedBy, onChange } = options;
  // The toolkit's change event also fires for values set from here. This handler comes before the
  // value, so that it already knows that value when it is set.
  return html`<vscode-checkbox
    @change=${(event: Event) => {
      const now = (event.currentTarget as HTMLInputElement).checked;
      if (now !== checked) onChange(now);
    }}
    .checked=${live(checked)}
    ?disabled=${disabled}
    aria-describedby=${describedBy ?? nothing}
    >${label}</vscode-checkbox
  >`;
}

export interface ToggleOptions {
  pressed: boolean;
  label: string;
  title: string;
  onClick: () => void;
}

/** A plain button that stays pressed, with a picture in it: an entry of a legend. */
export function toggle(content: Content, options: ToggleOptions): TemplateResult {
  const { pressed, label, title, onClick } = options;
  return html`<button
    class="toggle"
    type="button"
    aria-pressed=${pressed}
    aria-label=${label}
    title=${title}
    @click=${onClick}
  >
    ${content}
  </button>`;
}

export interface SliderOptions {
  id: string;
  value: number;
  min: number;
  max: number;
  step: number;
  /** The value in words, for screen readers. */
  valueText: string;
  onInput: (value: number) => void;
}

/** The toolkit has none; show a label for its id beside it. */
export function slider(options: SliderOptions): TemplateResult {
  const { id, value, min, max, step, valueText, onInput } = options;
  return html`<input
    type="range"
    id=${id}
    min=${min}
    max=${max}
    step=${step}
    .value=${live(String(value))}
    aria-valuetext=${valueText}
    @input=${(event: Event) => onInput(Number(valueOf(event)))}
  />`;
}

export interface SegmentsOptions<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

/** Buttons of which one is pressed. */
export function segments<T extends string>(options: SegmentsOptions<T>): TemplateResult {
  return html`<span role="group" class="segments" aria-label=${options.label}
    >${options.options.map(({ value, label }) =>
      button(label, {
        kind: value === options.value ? 'primary' : 'secondary',
        pressed: value === options.value,
        onClick: () => options.onChange(value),
      }),
    )}</span
  >`;
}

export interface TabsOptions<T extends string> {
  selected: T;
  tabs: readonly { id: T; label: string }[];
  onSelect: (id: T) => void;
}

/** A row of tabs; the page below is drawn by who called. */
export function tabs<T extends string>(options: TabsOptions<T>): TemplateResult {
  return html`<vscode-panels
    activeid=${`tab-${options.selected}`}
    @change=${(event: Event) => {
      // The attribute follows the property a moment later.
      const id = (event.currentTarget as Element & { activeid: string }).activeid;
      const tab = options.tabs.find((each) => `tab-${each.id}` === id);
      if (tab && tab.id !== options.selected) options.onSelect(tab.id);
    }}
    >${options.tabs.map(
      ({ id, label }) => html`<vscode-panel-tab id=${`tab-${id}`}>${label}</vscode-panel-tab>`,
    )}${
      // Tabs of the toolkit are dead without a view each; these stay empty.
      options.tabs.map(({ id }) => html`<vscode-panel-view id=${`view-${id}`}></vscode-panel-view>`)
    }</vscode-panels
  >`;
}

/** Not the toolkit's, which sets a style attribute that the content policy refuses. */
export function badge(content: Content): TemplateResult {
  return html`<span class="badge">${content}</span>`;
}

export function link(content: Content, onClick: () => void): TemplateResult {
  return html`<vscode-link
    href="#"
    @click=${(event: Event) => {
      event.preventDefault();
      onClick();
    }}
    >${content}</vscode-link
  >`;
}

export function progressRing(label: string): TemplateResult {
  return html`<vscode-progress-ring aria-label=${label}></vscode-progress-ring>`;
}

function valueOf(event: Event): string {
  return (event.target as HTMLInputElement).value;
}
