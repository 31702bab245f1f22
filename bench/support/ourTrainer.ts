/** A training step made of the trainer's own pieces, timed. */
import { sft } from '../../src/methods/sft.js';
import type { Architecture } from '../../src/model/architecture.js';
import type { Device } from '../../src/runtime/index.js';
import { createOptimizer } from '../../src/trainer/optimizer.js';
import { createGradientComputer, objectiveOf } from '../../src/trainer/step.js';
import type { ParameterStore } from '../../src/trainer/store.js';
import { adamW } from '../../src/trainer/transforms.js';
import type { Answers, Requests } from './requests.js';

export type TrainerSettings = Omit<Requests['trainer'], 'folder' | 'threads'>;

/** Takes steps with the weights in `store`, whose plan keeps what AdamW remembers. */
export async function createTrainer(
  { device, architecture }: { device: Device; architecture: Architecture },
  store: ParameterStore,
  settings: TrainerSettings,
): Promise<(request: Requests['step']) => Promise<Answers['step']>> {
  const objective = objectiveOf(sft, { lambda: 1, own: {} });
  const gradients = createGradientComputer(device, architecture, store, settings, objective);
  const optimizer = await createOptimizer(device, store, adamW(settings));
  let updates = 0;
  return async ({ rows, learningRate }) => {
    const mixed = {
      epoch: 0,
      index: updates,
      rows: rows.map(({ ids, supervised }) => ({
        ids: Int32Array.from(ids),
        supervised: Uint8Array.from(supervised),
      })),
      sources: rows.map(() => 'dataset'),
      rowIndices: rows.map((_, i) => i),
    };
    const start = performance.now();
    const { loss, norm } = await gradients.compute(mixed);
    const afterGradients = performance.now();
    await optimizer.update(++updates, learningRate, Math.min(1, settings.clip / (norm + 1e-6)));
    const end = performance.now();
    return {
      loss,
      gradNorm: norm,
      seconds: (end - start) / 1000,
      optimizer: (end - afterGradients) / 1000,
    };
  };
}
