/**
 * Everything that training keeps per parameter: its value, its gradient and both moments of AdamW.
 * On the CPU all parameters lie behind each other in one array of each kind, so that the optimizer
 * can walk them in pieces that fit the cache; on WebGPU each is a buffer of its own on the device.
 */
import { defined } from '../errors.js';
import type { Parameter } from '../model/architecture.js';
import { keepsTensors, type Device, type Held } from '../runtime/index.js';

export const kinds = ['weight', 'gradient', 'firstMoment', 'secondMoment'] as const;
export type Kind = (typeof kinds)[number];

/** The four tensors of a parameter or of a piece of one. */
export type Quad = Record<Kind, Held>;

/** What one run of the optimizer's graph works on. */
export interface Piece extends Quad {
  size: number;
  /** See `Parameter.vector`. */
  vector: boolean;
}

export interface ParameterStore {
  parameters: Parameter[];
  /** By parameter name. */
  weights: ReadonlyMap<string, Held>;
  gradients: ReadonlyMap<string, Held>;
  pieces: Piece[];
  /** The values of one kind, by parameter name; on the CPU the arrays themselves, not copies. */
  read(kind: Kind): AsyncIterable<{ name: string; shape: number[]; data: Float32Array }>;
  /** Overwrites the values of one kind. */
  write(kind: Kind, name: string, data: Float32Array): Promise<void>;
  release(): void;
}

/** Elements per piece: half a megabyte each of weight, gradient and moments. */
const pieceSize = 1 << 17;

/** A store whose weights come from `read`, with zero moments. */
export async function createStore(
  device: Device,
  parameters: Parameter[],
  read: (name: string) => Float32Array,
): Promise<ParameterStore> {
  // Vectors stand together, so that few pieces are shorter than they could be.
  const ordered = [...parameters].sort((a, b) => Number(a.vector) - Number(b.vector));
  const quads = new Map<string, Quad>();
  const pieces = keepsTensors(device.provider.name)
    ? await holdApart(device, ordered, quads)
    : await holdTogether(device, ordered, quads);
  const quad = (name: string): Quad => defined(quads.get(name), `parameter ${name}`);
  const byKind = (kind: Kind): ReadonlyMap<string, Held> =>
    new Map(parameters.map(({ name }) => [name, quad(name)[kind]]));

  const store: ParameterStore = {
    parameters,
    weights: byKind('weight'),
    gradients: byKind('gradient'),
    pieces,
    read: async function* (kind) {
      for (const { name, shape } of parameters) {
        yield { name, shape, data: await device.read(quad(name)[kind]) };
      }
    },
    write: async (kind, name, data) => {
      const held = quad(name)[kind];
      if (!keepsTensors(device.provider.name)) {
        (await device.read(held)).set(data);
        return;
      }
      const fresh = await device.hold(data, held.tensor.dims);
      held.tensor.dispose();
      held.tensor = fresh.tensor;
    },
    release: () => {
      for (const held of quads.values()) kinds.forEach((kind) => device.release(held[kind]));
    },
  };
  for (const { name } of parameters) await store.write('weight', name, read(name));
  return store;
}

async function holdApart(
  device: Device,
  parameters: Parameter[],
  quads: Map<string, Quad>,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const { name, shape, vector } of parameters) {
    const size = sizeOf(shape);
    const quad = await quadOf(() => device.hold(new Float32Array(size), shape));
    quads.set(name, quad);
    // The same `Held` objects: what a run replaces is replaced for both.
    pieces.push({ ...quad, size, vector });
  }
  return pieces;
}

async function holdTogether(
  device: Device,
  parameters: Parameter[],
  quads: Map<string, Quad>,
): Promise<Piece[]> {
  const total = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const arrays = Object.fromEntries(kinds.map((kind) => [kind, new Float32Array(total)])) as Record<
    Kind,
    Float32Array
  >;
  const hold = (kind: Kind, from: number, dims: number[]): Promise<Held> =>
    device.hold(arrays[kind].subarray(from, from + sizeOf(dims)), dims);

  let at = 0;
  let vectorsFrom = total;
  for (const { name, shape, vector } of parameters) {
    if (vector) vectorsFrom = Math.min(vectorsFrom, at);
    const from = at;
    quads.set(name, await quadOf((kind) => hold(kind, from, shape)));
    at += sizeOf(shape);
  }
  const pieces: Piece[] = [];
  const cut = async (from: number, to: number, vector: boolean): Promise<void> => {
    for (let start = from; start < to; start += pieceSize) {
      const size = Math.min(pieceSize, to - start);
      pieces.push({ ...(await quadOf((kind) => hold(kind, start, [size]))), size, vector });
    }
  };
  await cut(0, vectorsFrom, false);
  await cut(vectorsFrom, total, true);
  return pieces;
}

async function quadOf(hold: (kind: Kind) => Promise<Held>): Promise<Quad> {
  return {
    weight: await hold('weight'),
    gradient: await hold('gradient'),
    firstMoment: await hold('firstMoment'),
    secondMoment: await hold('secondMoment'),
  };
}

function sizeOf(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
