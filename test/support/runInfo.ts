/** A made-up run as lists and pages show it. */
import type { RunInfo } from '../../src/protocol/runInfo.js';

export function runInfo(part: Partial<RunInfo> & { id: string }): RunInfo {
  return {
    folder: `/project/.cfs/runs/${part.id}`,
    state: 'finished',
    name: part.id,
    method: 'cfs',
    model: '/models/base',
    datasets: ['/data/poems.jsonl'],
    created: '2026-01-02T00:00:00.000Z',
    progress: 0,
    total: 0,
    step: 600,
    tokensPerSecond: null,
    secondsLeft: null,
    secondsWorked: 240,
    samples: 32,
    checkpoints: [],
    hasReport: true,
    hasModel: true,
    trained: true,
    ...part,
  };
}
