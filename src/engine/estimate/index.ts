/**
 * What a run will take before it runs: seconds by phase, memory, disk, and whether it will fit. The
 * preview process asks again whenever a setting moves, so whatever a setting leaves as it is (the
 * speed of the machine, the requests of a task, the graphs of a model) is computed once.
 */
import type { RunEstimate } from '../../protocol/preview.js';
import type { Provider } from '../../runtime/index.js';
import { createCache } from '../cache.js';
import type { Model } from '../model.js';
import { ofKind } from '../work.js';
import type { Fit } from './fitting.js';
import { measureSpeed } from './machine.js';
import {
  evaluatingSeconds,
  savingSeconds,
  startingSeconds,
  trainingSeconds,
  writingSeconds,
  type Speed,
} from './seconds.js';

export interface Estimator {
  /** Of a run that fits like this. Throws what opening the provider throws. */
  estimate(fit: Fit, model: Model, provider: Provider): Promise<RunEstimate>;
}

export function createEstimator(): Estimator {
  const speeds = createCache<number>();

  return {
    estimate: async (fit, model, provider) => {
      const flopsPerSecond = await speeds.get(JSON.stringify(provider), () =>
        measureSpeed(provider),
      );
      const { memory, deviceMemory, disk, verdict, reason } = fit;
      return {
        provider: provider.name,
        seconds: secondsOf(fit, model, { flopsPerSecond }),
        memory,
        ...(deviceMemory ? { deviceMemory } : {}),
        disk,
        verdict,
        reason,
      };
    },
  };
}

function secondsOf(
  { work, costs, rowTokens }: Fit,
  { architecture, folder }: Model,
  speed: Speed,
): RunEstimate['seconds'] {
  const training = ofKind(work, 'train').map((one) =>
    trainingSeconds(one, costs, architecture, speed),
  );
  const modelBytes = folder.tensors.bytes();
  const seconds = {
    starting: startingSeconds(architecture, modelBytes, rowTokens),
    generating: writingSeconds(ofKind(work, 'write'), architecture, speed),
    training: training.reduce((sum, value) => sum + value, 0),
    evaluating: evaluatingSeconds(ofKind(work, 'score'), costs, architecture, speed),
    saving: savingSeconds(modelBytes),
  };
  return { ...seconds, total: Object.values(seconds).reduce((sum, value) => sum + value, 0) };
}
