/** The controls of the form. What a field is has been decided by the model of the form. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { button, checkbox, dropdown, textField } from '../../shared/toolkit.js';
import {
  problemCount,
  problemsWithin,
  warningCount,
  warningsWithin,
  type Control,
  type Field,
  type Form,
  type Pick,
  type Section,
} from './formModel.js';
import { parseNumber, textOf, type Path } from './values.js';

/** What the controls do to the page's state. */
export interface Editor {
  /** Sets a field, or unsets it with `undefined`. `typed` is the text it was made from. */
  set(path: Path, value: unknown, typed?: string): void;
  /** The text that a person typed for the value that is set, if it is still that. */
  typed(path: Path, value: unknown): string | undefined;
  pick(field: Field, kind: Pick, take: (paths: string[]) => void): void;
  isOpen(id: string): boolean;
  toggle(id: string, open: boolean): void;
}

export function formView(form: Form, editor: Editor): TemplateResult {
  return html`<form class="mix-form" @submit=${(event: Event) => event.preventDefault()}>
    ${noticeList('failure', form.problems)} ${noticeList('warning', form.warnings)}
    ${form.sections.map((section) => sectionView(section, editor))}
  </form>`;
}

function sectionView(section: Section, editor: Editor): TemplateResult | typeof nothing {
  const { id, label, about, basic, advanced } = section;
  if (basic.length + advanced.length === 0) return nothing;
  const heading = `section-${id}`;
  return html`<section class="mix-section" aria-labelledby=${heading}>
    <h2 id=${heading}>${label}</h2>
    ${about === '' ? nothing : html`<p class="muted about">${about}</p>`}
    ${basic.map((field) => fieldView(field, editor))}
    ${folded({ id: `advanced ${id}`, label: 'Advanced', of: label, fields: advanced }, editor)}
  </section>`;
}

interface Folded {
  id: string;
  label: string;
  /** What only the place on the page says, for those who only hear the label. */
  of: string;
  fields: readonly Field[];
}

/** Fields behind a line that opens them; it opens by itself when something in it is wrong. */
function folded(
  { id, label, of, fields }: Folded,
  editor: Editor,
): TemplateResult | typeof nothing {
  if (fields.length === 0) return nothing;
  const problems = problemCount(fields);
  const warnings = warningCount(fields);
  const changed = fields.filter((field) => field.changed).length;
  const notes = [
    ...(changed > 0 ? [`${changed} changed`] : []),
    ...(problems > 0 ? [`${problems} to correct`] : []),
    ...(warnings > 0 ? [`${warnings} to note`] : []),
  ];
  return html`<details
    class="folded"
    .open=${problems > 0 || editor.isOpen(id)}
    @toggle=${(event: Event) => editor.toggle(id, (event.currentTarget as HTMLDetailsElement).open)}
  >
    <summary>
      ${label}<span class="visually-hidden">: ${of}</span
      ><span class="muted">${notes.map((note) => ` · ${note}`)}</span>
    </summary>
    ${fields.map((field) => fieldView(field, editor))}
  </details>`;
}

function fieldView(field: Field, editor: Editor): TemplateResult {
  const { id, label, help, unit, control, problems, warnings, missing, replacedBy } = field;
  const isChoice = control.kind === 'checkbox';
  const isWide = ['path', 'list', 'group', 'map', 'text', 'choice'].includes(control.kind);
  const about = replacedBy === undefined ? help : `Not used: “${replacedBy}” replaces it. ${help}`;
  const isMany = ['list', 'group', 'map'].includes(control.kind);
  return html`<div
    class="field"
    data-field=${id}
    role=${isMany ? 'group' : nothing}
    aria-label=${isMany ? label : nothing}
  >
    <div class="field-head">
      ${isChoice ? controlView(field, editor) : html`<span class="field-label">${label}</span>`}
      ${resetButton(field, editor)}
    </div>
    ${
      isChoice
        ? nothing
        : html`<div class=${isWide ? 'field-control wide' : 'field-control'}>
            ${controlView(field, editor)}
            ${unit === undefined ? nothing : html`<span class="muted">${unit}</span>`}
          </div>`
    }
    ${
      problems.length === 0
        ? nothing
        : html`<div class=${missing ? 'muted problem' : 'error problem'} id=${problemId(field)}>
            ${missing ? nothing : html`<span aria-hidden="true">✕ </span>`}${problems.join(' ')}
          </div>`
    }
    ${warningLine(field, warnings)}
    ${about === '' ? nothing : html`<div class="muted help" id=${helpId(field)}>${about}</div>`}
  </div>`;
}

function resetButton(field: Field, editor: Editor): TemplateResult | typeof nothing {
  const { changed, standard, suggested, label, path } = field;
  if (!changed || Array.isArray(field.value)) return nothing;
  const text =
    suggested !== undefined
      ? `Reset to ${textOf(suggested)}, as suggested`
      : standard === undefined
        ? 'Clear'
        : `Reset to ${standardText(field)}`;
  return html`<button
    type="button"
    class="row-button"
    aria-label=${`${text}: ${label}`}
    @click=${() => editor.set(path, suggested)}
  >
    ${text}
  </button>`;
}

function controlView(field: Field, editor: Editor): TemplateResult {
  const { control, path, label } = field;
  const set = (value: unknown, typed?: string): void => editor.set(path, value, typed);
  switch (control.kind) {
    case 'text':
      return input(field, editor, (text) => set(text === '' ? undefined : text));
    case 'number':
      return input(field, editor, (text) => set(parseNumber(text), text));
    case 'textOrNumber':
      return input(field, editor, (text) => set(parseNumber(text), text));
    case 'choice':
      return choiceView(field, control, editor);
    case 'checkbox':
      return checkbox({
        label,
        checked: (field.value ?? field.standard) === true,
        describedBy: describedBy(field),
        onChange: (checked) => set(checked),
      });
    case 'path':
      return html`<div class="path">
        ${input(field, editor, (text) => set(text === '' ? undefined : text))}
        ${button('Browse…', {
          kind: 'secondary',
          label: `Browse for ${label}`,
          onClick: () => editor.pick(field, control.pick, ([first]) => first && set(first)),
        })}
      </div>`;
    case 'list':
      return listView(field, control, editor);
    case 'group':
      return html`${control.fields.map((inner) => fieldView(inner, editor))}`;
    case 'map':
      return mapView(field, control, editor);
    case 'other':
      return html`<span class="muted">Set it in run.yaml.</span>`;
  }
}

function choiceView(
  field: Field,
  control: Extract<Control, { kind: 'choice' }>,
  editor: Editor,
): TemplateResult {
  const { value, standard, path, label } = field;
  const now = textOf(value ?? standard);
  const options = control.choices.map((choice) => ({
    value: choice.value,
    label: choice.value === standard ? `${choice.label} (default)` : choice.label,
  }));
  const isKnown = options.some((option) => option.value === now);
  return dropdown({
    label,
    value: now,
    options: isKnown ? options : [{ value: now, label: now || 'not set' }, ...options],
    describedBy: describedBy(field),
    onChange: (chosen) => editor.set(path, chosen === '' ? undefined : chosen),
  });
}

function listView(
  field: Field,
  control: Extract<Control, { kind: 'list' }>,
  editor: Editor,
): TemplateResult {
  const { path, value, label } = field;
  const entries = Array.isArray(value) ? (value as unknown[]) : [];
  const entryOf = (text: string): unknown =>
    control.mainKey === undefined ? text : { [control.mainKey]: text };
  const add = (texts: string[]): void => {
    if (texts.length > 0) editor.set(path, [...entries, ...texts.map(entryOf)]);
  };
  const { pick } = control;
  return html`<ul class="entries">
      ${control.items.map(
        ({ main, more }, index) =>
          html`<li>
            <div class="path">
              ${input(main, editor, (text) => editor.set(main.path, text), `${label} ${index + 1}`)}
              ${button('Remove', {
                kind: 'secondary',
                label: `Remove ${textOf(main.value) || `${label} ${index + 1}`}`,
                onClick: () => editor.set([...path, index], undefined),
              })}
            </div>
            ${problemLine(main)} ${warningLine(main, warningsWithin(main))}
            ${folded(
              {
                id: `entry ${main.id}`,
                label: 'Format',
                of: textOf(main.value),
                fields: more,
              },
              editor,
            )}
          </li>`,
      )}
    </ul>
    ${
      pick === undefined
        ? button('Add', { kind: 'secondary', label: `Add to ${label}`, onClick: () => add(['']) })
        : button(entries.length === 0 ? 'Browse…' : 'Add…', {
            kind: 'secondary',
            label: entries.length === 0 ? `Browse for ${label}` : `Add to ${label}`,
            onClick: () => editor.pick(field, pick, add),
          })
    }`;
}

function mapView(
  field: Field,
  control: Extract<Control, { kind: 'map' }>,
  editor: Editor,
): TemplateResult {
  const { path, label } = field;
  const free = control.keys.filter((key) => !control.entries.some(([used]) => used === key));
  const [next] = free;
  return html`<div class="map">
    ${repeat(
      control.entries,
      ([key]) => key,
      ([key, value]) =>
        html`<div class="map-entry">
          ${dropdown({
            label: `Known name in ${label}`,
            value: key,
            options: [key, ...free].map((each) => ({ value: each, label: each })),
            onChange: (to) =>
              editor.set(
                path,
                Object.fromEntries(
                  control.entries.map(([each, text]) => [each === key ? to : each, text]),
                ),
              ),
          })}
          <span>is</span>
          ${textField({
            label: `Your name for ${key}`,
            labelHidden: true,
            value,
            placeholder: 'your column',
            onInput: (text) => editor.set([...path, key], text),
          })}
          ${button('Remove', {
            kind: 'secondary',
            label: `Remove ${key}`,
            onClick: () => editor.set([...path, key], undefined),
          })}
        </div>`,
    )}
    ${
      next === undefined
        ? nothing
        : button('Add', {
            kind: 'secondary',
            label: `Add to ${label}`,
            onClick: () => editor.set([...path, next], ''),
          })
    }
  </div>`;
}

function input(
  field: Field,
  editor: Editor,
  onInput: (text: string) => void,
  entryLabel?: string,
): TemplateResult {
  const isEntry = entryLabel !== undefined;
  const text = editor.typed(field.path, field.value) ?? textOf(field.value);
  return textField({
    label: entryLabel ?? field.label,
    labelHidden: true,
    value: text,
    placeholder: standardText(field),
    invalid: field.problems.length > 0 && !field.missing,
    ...(isEntry && notesOf(field).length === 0 ? {} : { describedBy: describedBy(field) }),
    onInput,
  });
}

function problemLine(field: Field): TemplateResult | typeof nothing {
  const problems = problemsWithin(field);
  if (problems.length === 0) return nothing;
  return html`<div class="error problem" id=${problemId(field)}>
    <span aria-hidden="true">✕ </span>${problems.join(' ')}
  </div>`;
}

/** Marked by a sign and by its words: the text stays as easy to read as the help below it. */
function warningLine(field: Field, warnings: readonly string[]): TemplateResult | typeof nothing {
  if (warnings.length === 0) return nothing;
  return html`<div class="problem" id=${warningId(field)}>
    <span aria-hidden="true">! </span
    ><span class="visually-hidden">Note: </span>${warnings.join(' ')}
  </div>`;
}

function noticeList(
  kind: 'failure' | 'warning',
  texts: readonly string[],
): TemplateResult | typeof nothing {
  if (texts.length === 0) return nothing;
  return html`<ul class=${`notice ${kind}`}>
    ${texts.map((text) => html`<li>${text}</li>`)}
  </ul>`;
}

function standardText({ standard, missing }: Field): string {
  if (standard === undefined) return missing ? '' : 'not set';
  return textOf(standard);
}

const helpId = ({ id }: Field): string => `help ${id}`.replaceAll(' ', '-');
const problemId = ({ id }: Field): string => `problem ${id}`.replaceAll(' ', '-');

const warningId = ({ id }: Field): string => `warning ${id}`.replaceAll(' ', '-');

function describedBy(field: Field): string {
  return [...notesOf(field), helpId(field)].join(' ');
}

/** The lines that say what is wrong with a field, and what is worth knowing. */
function notesOf(field: Field): string[] {
  return [
    ...(field.problems.length > 0 ? [problemId(field)] : []),
    ...(field.warnings.length > 0 ? [warningId(field)] : []),
  ];
}
