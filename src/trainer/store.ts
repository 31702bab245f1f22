/**
 * Everything that training keeps of its tensors, on the device of a run, as its plan says: weights,
 * gradients and what the optimizer remembers.
 */
import { assert, defined } from '../errors.js';
import type { Device, Fill, Held } from '../runtime/index.js';
import { kinds, type Kind, type StateKind, type StorePlan, type TensorPlan } from './storePlan.js';

/** What one run of the optimizer's graph works on: some elements of every kind that is kept. */
export interface Piece {
  weight: Held;
  gradient: Held;
  state: Partial<Record<StateKind, Held>>;
  /** Norms and biases, which weight decay usually spares. */
  vector: boolean;
}

export interface ParameterStore {
  plan: StorePlan;
  /** Of all tensors, by name. */
  weights: ReadonlyMap<string, Held>;
  /** Of trained tensors, by name. */
  gradients: ReadonlyMap<string, Held>;
  pieces: readonly Piece[];
  /** Whether the weights are still those that the store was made with: the base model's. */
  readonly holdsBase: boolean;
  /** Said by whoever is about to change weights, and what is remembered of them, in place. */
  noteChange(): void;
  /** The values of one kind, by name; on the CPU the arrays themselves, not copies. */
  read(kind: Kind): AsyncIterable<{ name: string; shape: readonly number[]; data: Float32Array }>;
  /** Overwrites the values of one kind. */
  fill(kind: Kind, name: string, fill: Fill): Promise<void>;
  /**
   * Takes the memory of the kinds that nothing was written to yet, while other work goes on. Nothing
   * may write to them before it has ended.
   */
  touch(): Promise<void>;
  /** Sets the gradients to zero. */
  clearGradients(): Promise<void>;
  release(): void;
}

/** Elements per piece: half a megabyte each of weight, gradient and moments. */
const pieceSize = 1 << 17;

/** Writes the weights of that name, row-major, to every element of `values`. */
export type WeightReader = (name: string, values: Float32Array) => void | Promise<void>;

/** Weights that lie in arrays of their own. */
export function copied(read: (name: string) => Float32Array): WeightReader {
  return (name, values) => values.set(read(name));
}

/** A store whose weights, and anchors where they are kept, come from `base`, with zero moments. */
export async function createStore(
  device: Device,
  plan: StorePlan,
  base: WeightReader,
): Promise<ParameterStore> {
  const held = new Map<Kind, Map<string, Held>>(kinds.map((kind) => [kind, new Map()]));
  const pieces: Piece[] = [];
  // Vectors stand together, so that few pieces are shorter than they could be.
  for (const vector of [false, true]) {
    const group = plan.tensors.filter(({ role }) => (role === 'vector') === vector);
    const trained = group.filter(({ training }) => training === 'trained');
    const frozen = group.filter(({ training }) => training === 'frozen');
    pieces.push(...(await allocateTrained(device, trained, held, vector)));
    await allocateKind(device, frozen, 'weight', held);
  }
  const heldOf = (kind: Kind, name: string): Held =>
    defined(held.get(kind)?.get(name), `${kind} of ${name}`);
  const inOrder = (kind: Kind): Map<string, Held> =>
    new Map(
      plan.tensors
        .filter(({ types }) => types[kind] !== undefined)
        .map(({ name }) => [name, heldOf(kind, name)]),
    );

  const written = new Set<Kind>(['weight', 'anchor']);
  let holdsBase = true;
  const store: ParameterStore = {
    plan,
    weights: inOrder('weight'),
    gradients: inOrder('gradient'),
    pieces,
    get holdsBase() {
      return holdsBase;
    },
    noteChange: () => {
      holdsBase = false;
      kinds.forEach((kind) => written.add(kind));
    },
    read: async function* (kind) {
      for (const { name, shape, types } of plan.tensors) {
        if (types[kind] === undefined) continue;
        yield { name, shape, data: await device.read(heldOf(kind, name)) };
      }
    },
    touch: async () => {
      const fresh = kinds.filter((kind) => !written.has(kind));
      fresh.forEach((kind) => written.add(kind));
      const tensors = fresh.flatMap((kind) => [...(held.get(kind)?.values() ?? [])]);
      await Promise.all(tensors.map((tensor) => device.touch(tensor)));
    },
    fill: async (kind, name, fill) => {
      written.add(kind);
      if (kind === 'weight') holdsBase = false;
      await device.fill(heldOf(kind, name), fill);
    },
    clearGradients: async () => {
      for (const gradient of store.gradients.values()) await device.clear(gradient);
    },
    release: () => {
      for (const tensors of held.values()) tensors.forEach((tensor) => device.release(tensor));
    },
  };
  for (const { name, types } of plan.tensors) {
    const weight = heldOf('weight', name);
    await device.fill(weight, (values) => base(name, values));
    if (!types.anchor) continue;
    const values = await device.read(weight);
    await device.fill(heldOf('anchor', name), (anchor) => anchor.set(values));
  }
  return store;
}

/** Tensors of the same types; the pieces of all kinds are cut at the same places. */
async function allocateTrained(
  device: Device,
  tensors: readonly TensorPlan[],
  held: Map<Kind, Map<string, Held>>,
  vector: boolean,
): Promise<Piece[]> {
  const [first] = tensors;
  if (first === undefined) return [];
  const kept = kinds.filter((kind) => first.types[kind] !== undefined);
  const parts = new Map<Kind, Held[]>();
  for (const kind of kept) parts.set(kind, await allocateKind(device, tensors, kind, held));
  const partOf = (kind: Kind, index: number): Held =>
    defined(parts.get(kind)?.[index], `part ${index} of ${kind}`);
  const state = kept.filter((kind): kind is StateKind => kind !== 'weight' && kind !== 'gradient');
  assert(kept.includes('gradient'), 'trained tensors keep a gradient');
  return defined(parts.get('weight'), 'weights').map((weight, i) => ({
    weight,
    gradient: partOf('gradient', i),
    state: Object.fromEntries(state.map((kind) => [kind, partOf(kind, i)])),
    vector,
  }));
}

async function allocateKind(
  device: Device,
  tensors: readonly TensorPlan[],
  kind: Kind,
  held: Map<Kind, Map<string, Held>>,
): Promise<Held[]> {
  const allocation = await device.allocate(
    tensors.map(({ shape }) => shape),
    pieceSize,
  );
  tensors.forEach(({ name }, i) => {
    held.get(kind)?.set(name, defined(allocation.tensors[i], `${kind} of ${name}`));
  });
  return allocation.parts;
}
