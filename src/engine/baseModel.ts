/**
 * The base model of a run, for everyone who needs its weights: samples, base scores,
 * whatever pulls towards it. The store is asked whether it still holds the base; it is never assumed.
 */
import type { Device, HeldWeights } from '../runtime/index.js';
import { createStore, type ParameterStore } from '../trainer/store.js';
import { planFrozen } from '../trainer/storePlan.js';
import type { Model } from './model.js';

export interface BaseModel {
  /** The values of one tensor, flat and row-major. */
  read(name: string): Float32Array;
  /**
   * Hands `work` the base weights on the device, by name: the store's own while it holds them, else
   * read again from the model folder and released afterwards.
   */
  use<T>(work: (weights: HeldWeights) => Promise<T>): Promise<T>;
}

export function createBaseModel(device: Device, model: Model, store: ParameterStore): BaseModel {
  const { folder } = model;
  return {
    read: (name) => folder.tensors.read(name),
    use: async (work) => {
      if (store.holdsBase) return work(store.weights);
      const own = await openFrozen(device, model);
      try {
        return await work(own.weights);
      } finally {
        own.release();
      }
    },
  };
}

/** The weights of a model folder on a device, for reading only. */
export function openFrozen(
  device: Device,
  { folder, architecture }: Model,
): Promise<ParameterStore> {
  const plan = planFrozen(architecture.parameters, device.provider.name);
  return createStore(device, plan, folder.tensors.readInto);
}
