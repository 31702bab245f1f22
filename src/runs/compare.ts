/**
 * Runs side by side: the settings in which they differ, and the items that one model answers rightly
 * and the other wrongly. What a page shows of this is drawn from run folders alone.
 */
import { isAbsolute, relative, sep } from 'node:path';
import type { ComparisonData, ItemChange, ItemComparison } from '../protocol/panel.js';
import type { ItemRecord, RunResults } from '../protocol/records.js';
import type { InputGroup, RunIdentity } from '../protocol/identity.js';
import type { RunInfo } from '../protocol/runInfo.js';
import type { RunConfig } from './configSchema.js';
import { flattenFields, isRecord } from './fields.js';
import { describeInputs } from './identity.js';

/** A run as far as its folder can be read. */
export interface ComparedRun {
  info: RunInfo;
  config?: RunConfig;
  results?: RunResults;
  /** What it was made from, as far as it has come. */
  identity?: RunIdentity;
}

/** What is written where a run has no value of its own. */
const absent = '–';

/** `workspace`: paths inside this folder are shown relative to it. */
export function compareRuns(runs: readonly ComparedRun[], workspace: string): ComparisonData {
  const settings = differing(
    runs.map(({ config }) => (config ? settingsOf(config, workspace) : undefined)),
  );
  const contents = runs.map(({ identity }) => (identity ? contentsOf(identity) : undefined));
  const isSameContent = (group: InputGroup): boolean =>
    new Set(contents.map((column) => column?.get(group))).size === 1 &&
    contents.every((column) => column?.has(group));
  return {
    runs: runs.map(({ info, results }) => ({ info, results })),
    settings: [
      ...settings.filter(({ field }) => {
        const group = groupOfField.get(field);
        // The same files in another place are no difference.
        return field !== 'name' && (group === undefined || !isSameContent(group));
      }),
      ...differing(contents).map((row) => ({ ...row, field: `${row.field} (content)` })),
    ],
  };
}

/** The paths of `run.yaml` whose content is known. */
const groupOfField: ReadonlyMap<string, InputGroup> = new Map([
  ['model', 'model'],
  ['dataset', 'dataset'],
  ['evaluation.downstream', 'held-out rows'],
  ['evaluation.tasks', 'tasks'],
]);

/** Those of the values that are not the same in all columns. */
function differing(
  columns: readonly (ReadonlyMap<string, string> | undefined)[],
): ComparisonData['settings'] {
  const fields = [...new Set(columns.flatMap((column) => [...(column?.keys() ?? [])]))];
  return fields
    .map((field) => ({ field, values: columns.map((column) => column?.get(field) ?? absent) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** What a run was made from, a line for each group; base scores follow from the others. */
function contentsOf({ groups }: RunIdentity): Map<string, string> {
  const told = groups.filter(({ group }) => group !== 'base scores' && group !== 'sources');
  return new Map(told.map(({ group, inputs }) => [group, describeInputs(inputs)]));
}

/**
 * Items that both sides have (by task, metric and name) and answer differently, in the order of
 * `to`. A side is the records of a run and which of its two models is meant. Two runs may have other
 * task files of one name: what was asked must be the same too.
 */
export function compareItems(
  from: { items: Iterable<ItemRecord>; model: 'base' | 'final' },
  to: { items: Iterable<ItemRecord>; model: 'base' | 'final' },
  wanted: { task: string; metric: string; change: ItemChange },
): ItemComparison[] {
  const isWanted = (item: ItemRecord): boolean =>
    item.task === wanted.task && item.metric === wanted.metric;
  const before = new Map<string, ItemRecord>();
  for (const item of from.items) if (isWanted(item)) before.set(item.id, item);
  const wasRight = wanted.change === 'right-to-wrong';
  const found: ItemComparison[] = [];
  for (const item of to.items) {
    const earlier = isWanted(item) ? before.get(item.id) : undefined;
    if (earlier?.prompt !== item.prompt || earlier.expected !== item.expected) continue;
    const [a, b] = [earlier[from.model], item[to.model]];
    if (a.correct !== wasRight || b.correct === wasRight) continue;
    const { task, metric, id, prompt, expected } = item;
    found.push({ task, metric, id, prompt, expected, from: a, to: b });
  }
  return found;
}

/** Every setting by its dotted name, as a person would write it. */
function settingsOf(config: RunConfig, workspace: string): Map<string, string> {
  const fields = Object.entries(flattenFields(config));
  return new Map(fields.map(([field, value]) => [field, display(value, workspace)]));
}

function display(value: unknown, workspace: string): string {
  if (Array.isArray(value)) {
    const parts = value.map((part) => display(part, workspace));
    // The order of files changes nothing.
    return parts.length === 0 ? absent : parts.toSorted().join(', ');
  }
  if (isRecord(value)) {
    const { path, ...rest } = value;
    const options = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
    return `${display(path, workspace)}${options}`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  return isAbsolute(value) ? shorten(value, workspace) : value;
}

function shorten(path: string, workspace: string): string {
  const inside = relative(workspace, path);
  const isInside = !isAbsolute(inside) && inside !== '..' && !inside.startsWith(`..${sep}`);
  if (!isInside) return path;
  return inside === '' ? '.' : inside.split(sep).join('/');
}
