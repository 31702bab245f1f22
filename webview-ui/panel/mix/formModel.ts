/**
 * The form as data: what a JSON Schema, the values typed so far and their problems make of it. No
 * field is known by name here, so whatever the engine's schema gains later is drawn without a change.
 */
import { z } from 'zod';
import { fieldHintsSchema, type FieldHints } from '../../../src/protocol/form.js';
import type { FieldProblem } from '../../../src/protocol/panel.js';
import { dotted, getAt, isRecord, type Path, type Values } from './values.js';
import { own } from '../../../src/own.js';

export type Pick = NonNullable<FieldHints['pick']>;

export interface SchemaNode extends FieldHints {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: (string | number)[];
  properties?: Record<string, SchemaNode>;
  required?: string[];
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  propertyNames?: SchemaNode;
}
export const schemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  fieldHintsSchema.extend({
    type: z.string().optional(),
    description: z.string().optional(),
    default: z.unknown().optional(),
    enum: z.array(z.union([z.string(), z.number()])).optional(),
    properties: z.record(z.string(), schemaNode).optional(),
    required: z.array(z.string()).optional(),
    items: schemaNode.optional(),
    anyOf: z.array(schemaNode).optional(),
    propertyNames: schemaNode.optional(),
  }),
);

export interface Choice {
  value: string;
  label: string;
  about: string;
}

/** One entry of a list: what names it, and what else can be said of it. */
export interface Item {
  main: Field;
  more: Field[];
}

export type Control =
  | { kind: 'text' }
  | { kind: 'number' }
  /** Text, or a number where it reads as one. */
  | { kind: 'textOrNumber' }
  | { kind: 'choice'; choices: Choice[] }
  | { kind: 'checkbox' }
  | { kind: 'path'; pick: Pick }
  | { kind: 'list'; items: Item[]; pick: Pick | undefined; mainKey: string | undefined }
  | { kind: 'group'; fields: Field[] }
  | { kind: 'map'; keys: string[]; entries: [string, string][] }
  /** Nothing that a form can show. */
  | { kind: 'other' };

export interface Field {
  path: Path;
  /** The path as the file's problems name it. */
  id: string;
  label: string;
  help: string;
  unit: string | undefined;
  control: Control;
  value: unknown;
  /** What holds when nothing is set. */
  standard: unknown;
  /** Nothing is set, but something must be. */
  missing: boolean;
  /** What suits model and dataset; undefined where nothing is known of that. */
  suggested: unknown;
  /** Something else than what is suggested, or else than what holds anyway; and not required. */
  changed: boolean;
  /** The label of the field that takes its place, where that is set. */
  replacedBy: string | undefined;
  basic: boolean;
  problems: string[];
  /** Worth knowing; it stops nothing. */
  warnings: string[];
}

export interface Section {
  id: string;
  label: string;
  about: string;
  basic: Field[];
  advanced: Field[];
}

export interface Form {
  sections: Section[];
  /** Of fields that are not shown. */
  problems: string[];
  warnings: string[];
}

/**
 * The form of a schema. Fields that the chosen method does not use are left out. `suggested` is by
 * dotted field.
 */
export function formOf(
  schema: SchemaNode,
  values: Values,
  problems: FieldProblem[],
  suggested: Values = {},
  warnings: FieldProblem[] = [],
): Form {
  const uses = userOf(schema, values);
  const entries = Object.entries(schema.properties ?? {}).filter(([, node]) => uses(node));
  const plain = entries.filter(([, node]) => !node.properties);
  const sections = [
    { id: '', node: { label: 'What to train' }, fields: plain, root: schema },
    ...entries.flatMap(([id, node]) =>
      node.properties ? [{ id, node, fields: Object.entries(node.properties), root: node }] : [],
    ),
  ].map(({ id, node, fields, root }): Section & { all: Field[] } => {
    const all = fields
      .filter(([, field]) => uses(field))
      .map(([name, field]) => fieldOf(field, id === '' ? [name] : [id, name], values, root))
      .map((field) => withSuggestion(field, own(suggested, field.id)));
    const about = 'description' in node ? (node.description ?? '') : '';
    const basic = all.filter((field) => field.basic);
    const advanced = all.filter((field) => !field.basic);
    return { id, label: node.label ?? words(id), about, basic, advanced, all };
  });
  const fields = sections.flatMap(({ all }) => all).flatMap(withInside);
  return {
    sections: sections.map(({ id, label, about, basic, advanced }) => ({
      id,
      label,
      about,
      basic,
      advanced,
    })),
    problems: atFields(fields, problems, (field) => field.problems),
    warnings: atFields(fields, warnings, (field) => field.warnings),
  };
}

/**
 * The values as the form knows them: `run.yaml` allows a path or a single source where a list is
 * meant, the form has lists only.
 */
export function withLists(schema: SchemaNode, values: Values): Values {
  const entries = Object.entries(values).map(([name, value]): [string, unknown] => {
    const node = own(schema.properties ?? {}, name);
    if (node?.properties && isRecord(value)) return [name, withLists(node, value)];
    if (node?.type !== 'array' || value === undefined) return [name, value];
    const list: unknown[] = Array.isArray(value) ? (value as unknown[]) : [value];
    const key = mainKeyOf(node);
    const isBare = (entry: unknown): boolean => key !== undefined && typeof entry === 'string';
    return [name, list.map((entry) => (isBare(entry) ? { [key ?? '']: entry } : entry))];
  });
  return Object.fromEntries(entries);
}

/** The fields that must be set and are not, in the order of the form. */
export function missingFields(form: Form): Field[] {
  return fieldsOf(form).filter(({ missing }) => missing);
}

/** Dotted fields as people read them, each once; those of fields that are not shown by themselves. */
export function labelsOf(form: Form, ids: readonly string[]): string[] {
  const fields = fieldsOf(form);
  const labels = ids.map((id) => fields.find((field) => field.id === id)?.label ?? id);
  return [...new Set(labels)];
}

function fieldsOf({ sections }: Form): Field[] {
  return sections.flatMap(({ basic, advanced }) => [...basic, ...advanced]);
}

export function problemCount(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => sum + problemsWithin(field).length, 0);
}

export function warningCount(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => sum + warningsWithin(field).length, 0);
}

/** The problems of a field and of the fields inside it. */
export function problemsWithin({ control, problems }: Field): string[] {
  return [...problems, ...fieldsInside(control).flatMap(problemsWithin)];
}

/** The warnings of a field and of the fields inside it. */
export function warningsWithin({ control, warnings }: Field): string[] {
  return [...warnings, ...fieldsInside(control).flatMap(warningsWithin)];
}

/** `learningRate` as `Learning rate`. */
export function words(name: string): string {
  const spaced = name.replaceAll(/([a-z])([A-Z0-9])/g, '$1 $2').toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** Whether the method that is chosen uses what a node describes. */
function userOf(schema: SchemaNode, values: Values): (node: SchemaNode) => boolean {
  const method = values.method ?? schema.properties?.method?.default;
  // A method that does not exist is a problem of its own; then everything stays in view.
  const known = schema.properties?.method?.enum?.includes(String(method)) ?? false;
  return ({ methods }) => !methods || !known || methods.includes(String(method));
}

function fieldOf(node: SchemaNode, path: Path, values: Values, parent: SchemaNode): Field {
  const value = getAt(values, path);
  const control = controlOf(node, path, values, value);
  const name = String(path.at(-1));
  const chosen =
    control.kind === 'choice'
      ? control.choices.find((choice) => choice.value === (value ?? node.default))
      : undefined;
  const about = chosen?.about ? chosen.about : (node.description ?? '');
  const isRequired = (parent.required ?? []).includes(name) && node.default === undefined;
  const isEmpty = value === undefined || value === '' || (Array.isArray(value) && !value.length);
  return {
    path,
    id: dotted(path),
    label: nameOf(name, node),
    // A hint is the same for people; the description is written for readers of run.yaml.
    help: node.hint ?? about,
    unit: node.unit,
    control,
    value,
    standard: node.default,
    missing: isRequired && isEmpty,
    suggested: undefined,
    changed: !isRequired && value !== undefined && !isSame(value, node.default),
    replacedBy: replacerOf(node, path, values, parent),
    basic: node.basic ?? false,
    problems: [],
    warnings: [],
  };
}

function withSuggestion(field: Field, suggested: unknown): Field {
  if (suggested === undefined) return field;
  return { ...field, suggested, changed: !isSame(field.value, suggested) };
}

function replacerOf(
  { replacedBy }: SchemaNode,
  path: Path,
  values: Values,
  parent: SchemaNode,
): string | undefined {
  if (replacedBy === undefined) return undefined;
  const value = getAt(values, [...path.slice(0, -1), replacedBy]);
  return value === undefined
    ? undefined
    : nameOf(replacedBy, own(parent.properties ?? {}, replacedBy));
}

function nameOf(name: string, node?: SchemaNode): string {
  return node?.label ?? words(name);
}

function controlOf(node: SchemaNode, path: Path, values: Values, value: unknown): Control {
  if (node.enum) {
    const choices = node.enum.map(String).map((each) => {
      const { label = each, about = '' } = own(node.choices ?? {}, each) ?? {};
      return { value: each, label, about };
    });
    return { kind: 'choice', choices };
  }
  if (node.properties) return groupOf(node, path, values);
  switch (node.type) {
    case 'boolean':
      return { kind: 'checkbox' };
    case 'number':
    case 'integer':
      return { kind: 'number' };
    case 'string':
      return node.pick ? { kind: 'path', pick: node.pick } : { kind: 'text' };
    case 'array':
      return listOf(node, path, values, value);
    case 'object':
      return mapOf(node, value);
    case undefined:
    default:
      return eitherOf(node);
  }
}

function eitherOf(node: SchemaNode): Control {
  const types = node.anyOf?.map(({ type }) => type ?? '') ?? [];
  const isPlain = types.length > 0 && types.every((type) => /^(string|number|integer)$/.test(type));
  return isPlain ? { kind: 'textOrNumber' } : { kind: 'other' };
}

function groupOf(node: SchemaNode, path: Path, values: Values): Control {
  const fields = Object.entries(node.properties ?? {}).map(([name, field]) =>
    fieldOf(field, [...path, name], values, node),
  );
  return { kind: 'group', fields };
}

/** A list of texts, or of objects that one of their fields names. */
function listOf(node: SchemaNode, path: Path, values: Values, value: unknown): Control {
  const { items, pick } = node;
  const properties = Object.entries(items?.properties ?? {});
  const mainKey = mainKeyOf(node);
  if (!items || (items.type !== 'string' && mainKey === undefined)) return { kind: 'other' };
  const entries = Array.isArray(value) ? (value as unknown[]) : [];
  return {
    kind: 'list',
    pick,
    mainKey,
    items: entries.map((_, index): Item => {
      const at = [...path, index];
      if (mainKey === undefined) return { main: fieldOf(items, at, values, node), more: [] };
      const fields = properties.map(([name, field]) =>
        fieldOf(field, [...at, name], values, items),
      );
      const [main, ...more] = fields.toSorted(
        (a, b) => Number(b.path.at(-1) === mainKey) - Number(a.path.at(-1) === mainKey),
      );
      return main ? { main, more } : { main: fieldOf(items, at, values, node), more: [] };
    }),
  };
}

/** The field that names an entry of a list of objects. */
function mainKeyOf({ items }: SchemaNode): string | undefined {
  const properties = Object.entries(items?.properties ?? {});
  return (properties.find(([, { pick }]) => pick) ?? properties[0])?.[0];
}

function mapOf(node: SchemaNode, value: unknown): Control {
  const keys = node.propertyNames?.enum?.map(String);
  if (!keys) return { kind: 'other' };
  const entries = isRecord(value)
    ? Object.entries(value).map(([key, text]): [string, string] => [key, String(text)])
    : [];
  return { kind: 'map', keys, entries };
}

/** Puts each problem at the field that names it best; returns those that find none. */
function atFields(
  fields: readonly Field[],
  problems: readonly FieldProblem[],
  listOf: (field: Field) => string[],
): string[] {
  return problems.flatMap(({ field: id, message }) => {
    const [best] = fields
      .filter(
        (field) => field.id === id || ['.', '['].some((next) => id.startsWith(field.id + next)),
      )
      .toSorted((a, b) => b.id.length - a.id.length);
    if (!best) return [id === '' ? message : `${id}: ${message}`];
    listOf(best).push(message);
    return [];
  });
}

function withInside(field: Field): Field[] {
  return [field, ...fieldsInside(field.control).flatMap(withInside)];
}

function fieldsInside(control: Control): Field[] {
  if (control.kind === 'group') return control.fields;
  if (control.kind === 'list') return control.items.flatMap(({ main, more }) => [main, ...more]);
  return [];
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
