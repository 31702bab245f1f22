/** The results of all finished runs, asked for once each time a run ends. */
import type { RunResults } from '../../../src/protocol/records.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';
import type { PanelRpc } from '../page.js';
import type { FinishedRun } from './scatter.js';

export interface FinishedRuns {
  refresh(runs: readonly RunInfo[]): Promise<void>;
  of(runs: readonly RunInfo[], labels: ReadonlyMap<string, string>): FinishedRun[];
  /** Another one whenever results have come. */
  version(): number;
}

export function createFinishedRuns(rpc: PanelRpc): FinishedRuns {
  const known = new Map<string, RunResults | undefined>();
  let asked = new Set<string>();
  let version = 0;
  return {
    refresh: async (runs) => {
      const ended = runs.filter(({ state }) => state === 'finished').map(({ id }) => id);
      const missing = ended.filter((id) => !asked.has(id));
      // What is not finished any more (deleted, resumed) is asked for again when it is.
      asked = new Set(ended);
      if (missing.length === 0) return;
      try {
        const { results } = await rpc.request('results', { runIds: missing });
        for (const each of results) known.set(each.runId, each.results);
        version++;
      } catch (error) {
        for (const id of missing) asked.delete(id);
        throw error;
      }
    },
    of: (runs, labels) =>
      runs.flatMap((info): FinishedRun[] => {
        const results = info.state === 'finished' ? known.get(info.id) : undefined;
        return results === undefined
          ? []
          : [{ info, label: labels.get(info.id) ?? info.id, results }];
      }),
    version: () => version,
  };
}
