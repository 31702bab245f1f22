/**
 * The optimizer: a chain of transforms (`transforms.ts`) from gradient to update, as one small graph
 * that runs in place over the store's pieces. Numbers that change from step to step are gathered on
 * the way and multiplied here, so that a transform which only scales costs nothing in the graph.
 */
import { defined } from '../errors.js';
import { anyShape, Graph, type Value } from '../graph/index.js';
import {
  float32,
  kernelsOf,
  type Device,
  type Feeds,
  type Held,
  type Tensor,
} from '../runtime/index.js';
import type { ParameterStore, Piece } from './store.js';
import type { StateKind } from './storePlan.js';
import { setOwn } from '../own.js';

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
export interface Update {
  value: Value;
  factor: Factor;
}

/** What a transform may use of the optimizer's graph. All tensors have the shape of the weight. */
export interface Emitter {
  weight: Value;
  /** What is remembered between updates. */
  state(kind: StateKind): Value;
  /** What is to be remembered; written over the old value, which nobody reads afterwards. */
  remember(kind: StateKind, value: Value): void;
  /** A scalar that is fed at each update. */
  number(factor: Factor): Value;
  constant(value: number): Value;
  op(name: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Sqrt', ...inputs: Value[]): Value;
  /** Multiplies the weight itself before the update is subtracted. */
  keep(factor: Factor): void;
}

export interface Transform {
  /** What it remembers for every weight. */
  state: readonly StateKind[];
  emit(update: Update, e: Emitter): Update;
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

export async function createOptimizer(
  device: Device,
  store: ParameterStore,
  transforms: readonly Transform[],
): Promise<Optimizer> {
  const { model, factors, written } = optimizerGraph(device, transforms);
  const outputs = [newName('weight'), ...written.map(newName)];
  // Bound by memory and made of small nodes: a second thread waits more than it works.
  const session = await device.session(model, outputs, 1);
  const scalars = (at: UpdateContext): Feeds =>
    Object.fromEntries([...factors].map(([name, factor]) => [name, scalar(factor(at))]));
  return {
    update: async (step, learningRate, clipScale) => {
      store.noteChange();
      const at = { step, learningRate, clipScale };
      const ofMatrices = scalars({ ...at, vector: false });
      const ofVectors = scalars({ ...at, vector: true });
      for (const piece of store.pieces) {
        const into: Record<string, Held> = { [newName('weight')]: piece.weight };
        for (const kind of written) setOwn(into, newName(kind), defined(piece.state[kind], kind));
        await session.run(
          { ...(piece.vector ? ofVectors : ofMatrices), ...tensorsOf(piece) },
          into,
        );
      }
    },
    release: () => session.release(),
  };
}

/**
 * w ← keep · w − factor · value. Every input is read for the last time by the node that computes its
 * successor, so the outputs may be the inputs' own memory.
 */
function optimizerGraph(device: Device, transforms: readonly Transform[]) {
  const g = new Graph(kernelsOf(device.provider.name));
  const factors = new Map<string, Factor>();
  // Pieces are one-dimensional on the CPU and shaped like the weight elsewhere: rank is left open.
  const tensor = (name: string): Value => g.input(name, 'float32', anyShape);
  const number = (factor: Factor): Value => {
    const name = `number${factors.size}`;
    factors.set(name, factor);
    return g.input(name, 'float32', []);
  };
  const [weight, gradient] = [tensor('weight'), tensor('gradient')];
  const states = new Map(stateOf(transforms).map((kind) => [kind, tensor(kind)]));
  const remembered = new Map<StateKind, Value>();
  let keep: Factor = () => 1;
  const op: Emitter['op'] = (name, ...inputs) => g.emit(name, inputs, weight.shape);
  const emitter: Emitter = {
    weight,
    state: (kind) => defined(states.get(kind), `transform that says it remembers ${kind}`),
    remember: (kind, value) => remembered.set(kind, value),
    number,
    constant: (value) => g.scalar(value, weight),
    op,
    keep: (factor) => {
      const before = keep;
      keep = (at) => before(at) * factor(at);
    },
  };
  const { value, factor } = transforms.reduce(
    (update, transform) => transform.emit(update, emitter),
    { value: gradient, factor: () => 1 } as Update,
  );
  const change = op('Mul', value, number(factor));
  remembered.forEach((state, kind) => g.output(newName(kind), state));
  g.output(newName('weight'), op('Sub', op('Mul', weight, number(keep)), change));
  return { model: g.encode('optimizer'), factors, written: [...remembered.keys()] };
}

function newName(kind: string): string {
  return `new.${kind}`;
}

function tensorsOf({ weight, gradient, state }: Piece): Feeds {
  const kept = Object.entries(state).map(([kind, { tensor }]) => [kind, tensor]);
  return {
    weight: weight.tensor,
    gradient: gradient.tensor,
    ...(Object.fromEntries(kept) as Feeds),
  };
}

function scalar(value: number): Tensor {
  return float32(Float32Array.of(value), []);
}
