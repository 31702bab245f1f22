/** A run as the library lists it before anything is known of it, for tests that need no folder. */
import type { RunInfo } from '../../../src/protocol/runInfo.js';
import { runInfo } from '../../support/runInfo.js';

export function madeUpInfo(id: string, parts: Partial<RunInfo> = {}): RunInfo {
  return runInfo({
    id,
    method: undefined,
    model: undefined,
    datasets: [],
    step: 0,
    samples: 0,
    hasReport: false,
    hasModel: false,
    ...parts,
  });
}
