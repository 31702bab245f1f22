/** A run as the library lists it, for tests that need no folder. */
import type { RunInfo } from '../../../src/protocol/runInfo.js';

export function madeUpInfo(id: string, parts: Partial<RunInfo> = {}): RunInfo {
  return {
    id,
    folder: `/workspace/.cfs/runs/${id}`,
    state: 'finished',
    name: id,
    datasets: [],
    created: '2026-01-02T00:00:00.000Z',
    progress: 0,
    total: 0,
    step: 0,
    tokensPerSecond: null,
    secondsLeft: null,
    samples: 0,
    checkpoints: [],
    hasReport: false,
    hasModel: false,
    trained: true,
    ...parts,
  };
}
