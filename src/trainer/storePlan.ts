/**
 * What training keeps of every tensor, decided before anything is allocated: the store, the
 * checkpoints, the check whether a run fits and the estimates all read this one plan, so that none
 * of them can think of another run than the one that happens.
 */
import { elementCount } from '../model/parameters.js';
import type { Parameter } from '../model/weights.js';
import { providers, type ProviderName } from '../runtime/index.js';

/** What may be kept beside a weight: its gradient, AdamW's two moments, its value in the base model. */
export const kinds = ['weight', 'gradient', 'firstMoment', 'secondMoment', 'anchor'] as const;
export type Kind = (typeof kinds)[number];

/** The kinds that are kept between updates for an optimizer's own use. */
export type StateKind = Exclude<Kind, 'weight' | 'gradient'>;

/** Bytes of one element, for each type in which a tensor may be kept. */
const elementBytes = { float32: 4 } as const;
export type StoredType = keyof typeof elementBytes;

export interface TensorPlan extends Parameter {
  /** `frozen`: only its weight is kept, and no gradient is asked for. */
  training: 'trained' | 'frozen';
  /** The element type of each kind that is kept. */
  types: Partial<Record<Kind, StoredType>> & { weight: StoredType };
}

export interface StorePlan {
  tensors: readonly TensorPlan[];
  /** Where the tensors lie while nothing runs. */
  place: 'host' | 'device';
}

/** What a checkpoint holds of each trained tensor; gradients are computed again, anchors are the base's. */
export const checkpointKinds = ['weight', 'firstMoment', 'secondMoment'] as const satisfies Kind[];

/** The plan for training all `parameters` with an optimizer that keeps `state`. */
export function planStore(
  parameters: readonly Parameter[],
  state: readonly StateKind[],
  provider: ProviderName,
): StorePlan {
  const kept: Kind[] = ['weight', 'gradient', ...state];
  const types = Object.fromEntries(kept.map((kind) => [kind, 'float32'])) as TensorPlan['types'];
  return {
    tensors: parameters.map((parameter) => ({ ...parameter, training: 'trained', types })),
    place: providers[provider].residency,
  };
}

/** The plan for weights that are only read. */
export function planFrozen(parameters: readonly Parameter[], provider: ProviderName): StorePlan {
  return {
    tensors: parameters.map((parameter) => ({
      ...parameter,
      training: 'frozen',
      types: { weight: 'float32' },
    })),
    place: providers[provider].residency,
  };
}

export function trainedTensors({ tensors }: StorePlan): TensorPlan[] {
  return tensors.filter(({ training }) => training === 'trained');
}

/** Bytes of each kind over all tensors. */
export function bytesByKind({ tensors }: StorePlan): Record<Kind, number> {
  const bytes = { weight: 0, gradient: 0, firstMoment: 0, secondMoment: 0, anchor: 0 };
  for (const tensor of tensors) {
    for (const kind of kinds) bytes[kind] += bytesOf(tensor, kind);
  }
  return bytes;
}

/** Bytes of everything that the plan keeps. */
export function storeBytes(plan: StorePlan): number {
  return Object.values(bytesByKind(plan)).reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of the tensors of one checkpoint. */
export function checkpointBytes(plan: StorePlan): number {
  return trainedTensors(plan).reduce(
    (sum, tensor) => checkpointKinds.reduce((all, kind) => all + bytesOf(tensor, kind), sum),
    0,
  );
}

function bytesOf(tensor: TensorPlan, kind: Kind): number {
  const type = tensor.types[kind];
  return type === undefined ? 0 : elementCount(tensor) * elementBytes[type];
}
