/**
 * Runs side by side: the settings in which they differ, and the items that one model answers rightly
 * and the other wrongly. What a page shows of this is drawn from run folders alone.
 */
import { isAbsolute, relative, sep } from 'node:path';
import type { ComparisonData, ItemChange, ItemComparison } from '../protocol/panel.js';
import type { ItemRecord, RunResults } from '../protocol/records.js';
import type { RunInfo } from '../protocol/runInfo.js';
import type { RunConfig } from './configSchema.js';
import { flattenFields, isRecord } from './fields.js';

/** A run as far as its folder can be read. */
export interface ComparedRun {
  info: RunInfo;
  config?: RunConfig;
  results?: RunResults;
}

/** What is written where a run has no value of its own. */
const absent = '–';

/** `workspace`: paths inside this folder are shown relative to it. */
export function compareRuns(runs: readonly ComparedRun[], workspace: string): ComparisonData {
  const columns = runs.map(({ config }) => (config ? settingsOf(config, workspace) : undefined));
  const fields = [...new Set(columns.flatMap((column) => [...(column?.keys() ?? [])]))];
  const rows = fields.map((field) => ({
    field,
    values: columns.map((column) => column?.get(field) ?? absent),
  }));
  return {
    runs: runs.map(({ info, results }) => ({ info, results })),
    settings: rows.filter(({ field, values }) => field !== 'name' && new Set(values).size > 1),
  };
}

/**
 * Items that both sides have (by task, metric and name) and answer differently, in the order of
 * `to`. A side is the records of a run and which of its two models is meant.
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
    if (earlier === undefined) continue;
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
