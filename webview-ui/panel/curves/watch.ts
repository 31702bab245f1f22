/** The events of the runs that are drawn, as the host sends them, and the curves they make. */
import { runCurves, type RunCurves } from '../../../src/protocol/curveData.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import type { PanelListeners, PanelRpc } from '../page.js';

export interface Watcher {
  /** Asks for these runs, if they are not those it has. */
  watch(runIds: readonly string[]): Promise<void>;
  take: PanelListeners['history'];
  /** Undefined until something has come. */
  curvesOf(runId: string): RunCurves | undefined;
  /** Another one whenever curves have changed. */
  version(): number;
}

const drawn: ReadonlySet<RunEvent['type']> = new Set(['run_started', 'train_step', 'evaluation']);

export function createWatcher(rpc: PanelRpc): Watcher {
  let watched: readonly string[] = [];
  let version = 0;
  const events = new Map<string, RunEvent[]>();
  const curves = new Map<string, RunCurves>();
  return {
    watch: async (runIds) => {
      if (runIds.join('\n') === watched.join('\n')) return;
      watched = [...runIds];
      for (const id of [...events.keys()].filter((each) => !watched.includes(each))) {
        events.delete(id);
        curves.delete(id);
      }
      version++;
      try {
        await rpc.request('watch', { runIds: [...runIds] });
      } catch (error) {
        // So that the next attempt is not taken for a repetition.
        watched = [];
        throw error;
      }
    },
    take: ({ runId, first, events: news }) => {
      if (!watched.includes(runId)) return;
      const kept = (first ? undefined : events.get(runId)) ?? [];
      // One by one: a long run has more events than a call may have arguments.
      for (const event of news) if (drawn.has(event.type)) kept.push(event);
      events.set(runId, kept);
      curves.delete(runId);
      version++;
    },
    curvesOf: (runId) => {
      const all = events.get(runId);
      if (all === undefined) return undefined;
      const known = curves.get(runId) ?? runCurves(all);
      curves.set(runId, known);
      return known;
    },
    version: () => version,
  };
}
