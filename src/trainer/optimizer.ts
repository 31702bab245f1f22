/**
 * The optimizer: a chain of transforms (`transforms.ts`) from gradient to update, which runs in place
 * over the store's pieces. Numbers that change from step to step are gathered on the way and
 * multiplied here, so that a transform which only scales costs nothing. Where the tensors lie in this
 * process the chain becomes one fused loop; on a device it is a small graph.
 */
import { defined } from '../errors.js';
import { anyShape, Graph, type Value } from '../graph/index.js';
import { setOwn } from '../own.js';
import {
  float32,
  floats,
  kernelsOf,
  type Device,
  type Feeds,
  type Held,
  type Tensor,
} from '../runtime/index.js';
import { createLoop, type LoopValue } from './fusedLoop.js';
import type { ParameterStore, Piece } from './store.js';
import type { StateKind } from './storePlan.js';
import type { LoopOperator } from '../wasm.js';

/** What is known when a piece is updated. */
export interface UpdateContext {
  /** Number of the update, from 1. */
  step: number;
  learningRate: number;
  /** min(1, limit / norm): what clipping scales the gradients by. */
  clipScale: number;
  /** Whether the piece holds norms and biases. */
  vector: boolean;
}

/** A number that is known when an update is made. */
export type Factor = (at: UpdateContext) => number;

/** `factor` · `value` on its way to be subtracted from the weight. */
export interface Update<V> {
  value: V;
  factor: Factor;
}

/** What a transform may use; `V` is an array of the shape of the weight, or a number. */
export interface Emitter<V> {
  weight: V;
  /** What is remembered between updates. */
  state(kind: StateKind): V;
  /** What is to be remembered; written over the old value, which nobody reads afterwards. */
  remember(kind: StateKind, value: V): void;
  /** A number that is given at each update. */
  number(factor: Factor): V;
  constant(value: number): V;
  op(name: LoopOperator, ...inputs: V[]): V;
  /** Multiplies the weight itself before the update is subtracted. */
  keep(factor: Factor): void;
}

export interface Transform {
  /** What it remembers for every weight. */
  state: readonly StateKind[];
  emit<V>(update: Update<V>, e: Emitter<V>): Update<V>;
}

export interface Optimizer {
  /** Update number `step` (from 1) of every trained weight, from the gradients in the store. */
  update(step: number, learningRate: number, clipScale: number): Promise<void>;
  release(): Promise<void>;
}

/** What a chain remembers for every weight, as the store's plan has to keep it. */
export function stateOf(transforms: readonly Transform[]): StateKind[] {
  return [...new Set(transforms.flatMap(({ state }) => state))];
}

/** Makes one update of one piece. */
interface PieceUpdate {
  /** Takes the numbers that `compose` asked for, by name. */
  run(piece: Piece, numbers: ReadonlyMap<string, number>): Promise<void> | void;
  release(): Promise<void>;
}

export async function createOptimizer(
  device: Device,
  store: ParameterStore,
  transforms: readonly Transform[],
): Promise<Optimizer> {
  const factors = new Map<string, Factor>();
  const pieceUpdate =
    store.plan.place === 'host'
      ? fusedUpdate(transforms, factors)
      : await graphUpdate(device, transforms, factors);
  const numbersAt = (at: UpdateContext): Map<string, number> =>
    new Map([...factors].map(([name, factor]) => [name, factor(at)]));
  return {
    update: async (step, learningRate, clipScale) => {
      store.noteChange();
      const at = { step, learningRate, clipScale };
      const ofMatrices = numbersAt({ ...at, vector: false });
      const ofVectors = numbersAt({ ...at, vector: true });
      for (const piece of store.pieces) {
        await pieceUpdate.run(piece, piece.vector ? ofVectors : ofMatrices);
      }
    },
    release: () => pieceUpdate.release(),
  };
}

/** What the arithmetic of an update is written in. */
interface Language<V> {
  tensor: (name: string) => V;
  number: (name: string) => V;
  constant: (value: number) => V;
  op: (name: LoopOperator, ...inputs: V[]) => V;
  /** Replaces what was read under this name. */
  overwrite: (name: string, value: V) => void;
}

/**
 * w ← keep · w − factor · value. Every tensor is read for the last time by the operation that computes
 * its successor, so that it may be overwritten. `factors` receives the numbers by name.
 */
function compose<V>(
  transforms: readonly Transform[],
  language: Language<V>,
  factors: Map<string, Factor>,
): void {
  const { tensor, op, constant } = language;
  const number = (factor: Factor): V => {
    const name = `number${factors.size}`;
    factors.set(name, factor);
    return language.number(name);
  };
  const [weight, gradient] = [tensor('weight'), tensor('gradient')];
  const states = new Map(stateOf(transforms).map((kind) => [kind, tensor(kind)]));
  const remembered = new Map<StateKind, V>();
  let keep: Factor = () => 1;
  const emitter: Emitter<V> = {
    weight,
    state: (kind) => defined(states.get(kind), `transform that says it remembers ${kind}`),
    remember: (kind, value) => void remembered.set(kind, value),
    number,
    constant,
    op,
    keep: (factor) => {
      const before = keep;
      keep = (at) => before(at) * factor(at);
    },
  };
  const { value, factor } = transforms.reduce(
    (update, transform) => transform.emit(update, emitter),
    { value: gradient, factor: () => 1 } as Update<V>,
  );
  const change = op('Mul', value, number(factor));
  remembered.forEach((state, kind) => language.overwrite(kind, state));
  language.overwrite('weight', op('Sub', op('Mul', weight, number(keep)), change));
}

function fusedUpdate(transforms: readonly Transform[], factors: Map<string, Factor>): PieceUpdate {
  const loop = createLoop();
  compose<LoopValue>(transforms, { ...loop, tensor: loop.input }, factors);
  const run = loop.build();
  return {
    run: (piece, numbers) => {
      const held = [...tensorsOf(piece)];
      run(new Map(held.map(([name, { tensor }]) => [name, floats(tensor)])), numbers);
    },
    release: () => Promise.resolve(),
  };
}

async function graphUpdate(
  device: Device,
  transforms: readonly Transform[],
  factors: Map<string, Factor>,
): Promise<PieceUpdate> {
  const g = new Graph(kernelsOf(device.provider.name));
  const written: (StateKind | 'weight')[] = [];
  // Shaped like the weight, whose rank is left open: one graph serves all of them.
  compose<Value>(
    transforms,
    {
      tensor: (name) => g.input(name, 'float32', anyShape),
      number: (name) => g.input(name, 'float32', []),
      constant: (value) => g.scalar(value, { type: 'float32' }),
      op: (name, ...inputs) => g.emit(name, inputs, anyShape),
      overwrite: (name, value) => {
        written.push(name as StateKind | 'weight');
        g.output(newName(name), value);
      },
    },
    factors,
  );
  const session = await device.session(g.encode('optimizer'), written.map(newName));
  return {
    run: async (piece, numbers) => {
      const tensors = tensorsOf(piece);
      const feeds: Feeds = {};
      for (const [name, { tensor }] of tensors) setOwn(feeds, name, tensor);
      for (const [name, value] of numbers) setOwn(feeds, name, scalar(value));
      const into: Record<string, Held> = {};
      for (const name of written) setOwn(into, newName(name), defined(tensors.get(name), name));
      await session.run(feeds, into);
    },
    release: () => session.release(),
  };
}

function newName(kind: string): string {
  return `new.${kind}`;
}

function tensorsOf({ weight, gradient, state }: Piece): ReadonlyMap<string, Held> {
  return new Map(Object.entries({ weight, gradient, ...state }));
}

function scalar(value: number): Tensor {
  return float32(Float32Array.of(value), []);
}
