/**
 * What the inspector knows, and how it changes by what the host tells. Pure; what is drawn from it
 * is for the other files.
 */
import { z } from 'zod';
import type { InspectorState, SampleSummary } from '../../src/protocol/inspector.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { defaultView, viewSchema } from './view.js';

/** What outlives a reload. */
export const keptSchema = z.object({
  selected: z.string().optional(),
  view: viewSchema,
  filtersOpen: z.boolean(),
  /** Absent until people choose: open where there is room. */
  statisticsOpen: z.boolean().optional(),
  /** The first sample seen, and how many pixels of it are above the edge; absent at the top. */
  place: z.object({ runId: z.string(), index: z.int(), offset: z.number() }).optional(),
});
export type Kept = z.infer<typeof keptSchema>;
export const defaultKept: Kept = { view: defaultView, filtersOpen: false };

export interface Store {
  /** Absent until the host told for the first time. */
  host?: InspectorState;
  /** The run that `samples` are of, and its samples as they were written. */
  samplesOf?: string;
  samples: readonly SampleSummary[];
  excluded: ReadonlySet<number>;
  /** Numbers of the samples shown in full. */
  expanded: ReadonlySet<number>;
  /** What “Include all again” includes: the samples that the last “Exclude all shown” took out. */
  undo?: readonly number[];
  /** Absent until people choose: open where the verdict is bad. */
  verdictOpen?: boolean;
  /** What went wrong last. */
  problem?: unknown;
}

const nothingShown = { samples: [], expanded: new Set<number>() };
export const emptyStore: Store = { ...nothingShown, excluded: new Set() };

/** The host told how things stand. */
export function withState(store: Store, host: InspectorState): Store {
  const excluded = sameNumbers(store.excluded, host.excluded)
    ? store.excluded
    : new Set(host.excluded);
  const next = { ...store, host, excluded };
  if (store.host?.selected === host.selected) return next;
  const kept = store.samplesOf === host.selected ? {} : { ...nothingShown, samplesOf: undefined };
  return { ...next, ...kept, undo: undefined, verdictOpen: undefined, problem: undefined };
}

/** More samples came. Those of a run that is not the one at hand, without `first`, came too late. */
export function withSamples(
  store: Store,
  event: { runId: string; first: boolean; samples: readonly SampleSummary[] },
): Store {
  const { runId, first, samples } = event;
  if (first) return { ...store, ...nothingShown, samplesOf: runId, samples };
  if (store.samplesOf !== runId) return store;
  return { ...store, samples: [...store.samples, ...samples] };
}

export function withExcluded(store: Store, excluded: readonly number[]): Store {
  return { ...store, excluded: new Set(excluded) };
}

export function toggleExpanded(store: Store, index: number): Store {
  const expanded = new Set(store.expanded);
  if (!expanded.delete(index)) expanded.add(index);
  return { ...store, expanded };
}

/** Whether the reasons of the verdict are unfolded. */
export function isVerdictOpen({ host, verdictOpen }: Store): boolean {
  return verdictOpen ?? host?.verdict?.coherent === false;
}

/** The run that is shown. */
export function selectedRun({ host }: Store): RunInfo | undefined {
  return host?.runs.find(({ id }) => id === host.selected);
}

/** The samples of the run that is shown. */
export function shownSamples({ host, samplesOf, samples }: Store): readonly SampleSummary[] {
  return samplesOf !== undefined && samplesOf === host?.selected ? samples : [];
}

/** Remembers the last answer, for the same arguments. */
export function memo<A extends readonly unknown[], R>(
  compute: (...args: A) => R,
): (...args: A) => R {
  let last: { args: A; result: R } | undefined;
  return (...args) => {
    if (!last || last.args.some((arg, i) => arg !== args[i])) {
      last = { args, result: compute(...args) };
    }
    return last.result;
  };
}

function sameNumbers(set: ReadonlySet<number>, list: readonly number[]): boolean {
  return set.size === list.length && list.every((value) => set.has(value));
}
