/**
 * What the inspector shows, derived from the list of runs and from the events of one: which run is
 * selected when nobody chose, and what is known of its samples.
 */
import { methodOf } from '../../methods/index.js';
import type { InspectorState } from '../../protocol/inspector.js';
import type { RunEvent } from '../../protocol/records.js';
import type { RunInfo } from '../../protocol/runInfo.js';

/** Runs that have samples or will have; those whose configuration cannot be read are left out. */
export function runsWithSamples(runs: readonly RunInfo[]): RunInfo[] {
  return runs.filter(
    ({ samples, method, state }) =>
      method !== undefined && (samples > 0 || (writesSamples(method) && state !== 'finished')),
  );
}

function writesSamples(method: string): boolean {
  return methodOf(method)?.sources.includes('context-free') ?? false;
}

/**
 * The run to show: the one that the person chose, the one that runs, the one shown before, the
 * newest with samples, the newest. `runs`: the newest first.
 */
export function selectRun(
  runs: readonly RunInfo[],
  { chosen, before }: { chosen?: string; before?: string },
): string | undefined {
  const picked =
    runs.find(({ id }) => id === chosen) ??
    runs.find(({ state }) => state === 'running') ??
    runs.find(({ id }) => id === before) ??
    runs.find(({ samples }) => samples > 0) ??
    runs[0];
  return picked?.id;
}

/** What the events of a run say about its samples. */
export interface SampleFacts extends Pick<InspectorState, 'bos' | 'verdict' | 'diagnostics'> {
  /** The exclusions that training began with. */
  leftOut?: number[];
}

/** `facts` after one more event; the same object where the event says nothing about samples. */
export function learn(facts: SampleFacts, event: RunEvent): SampleFacts {
  if (event.type === 'bos_found') {
    const { id, token, reason } = event;
    return { ...facts, bos: { id, token, reason } };
  }
  if (event.type === 'samples_judged') {
    const { coherent, reason, betterTokenId } = event;
    return { ...facts, verdict: { coherent, reason, betterTokenId } };
  }
  if (event.type === 'samples_described') return { ...facts, diagnostics: event.diagnostics };
  if (event.type === 'samples_chosen') return { ...facts, leftOut: event.excluded };
  return facts;
}

/** Why the samples of a run can no longer be excluded; undefined while they can. */
export function settledReason(run: RunInfo | undefined, facts: SampleFacts): string | undefined {
  if (run?.trained !== true && facts.leftOut === undefined) return undefined;
  return (
    'Training on these samples has already started, so they can no longer be changed. ' +
    'Start a new run to train on other samples.'
  );
}
