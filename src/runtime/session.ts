/**
 * The one place that creates ONNX Runtime sessions and owns the tensors that live longer than a
 * run. On the CPU a held tensor is an ordinary array that runs write into; on WebGPU it is a buffer
 * on the device that each run replaces.
 */
import * as ort from 'onnxruntime-node';
import { reserve } from '../allocator.js';
import { CfsError, defined, messageOf } from '../errors.js';
import { encodeIdentity, encodeZeros } from '../graph/index.js';
import { discard } from '../discard.js';
import { own } from '../own.js';
import { touch } from '../touch.js';
import { providers, type Provider } from './providers.js';

// What goes wrong is thrown; the library's own printing of it would only confuse.
ort.env.logLevel = 'fatal';

export type Tensor = ort.Tensor;
export type Feeds = Record<string, Tensor>;

/** A float32 tensor that outlives a run and that runs can overwrite. */
export interface Held {
  tensor: Tensor;
  /** On the device: the session that made the tensor, which its memory lives and dies with. */
  maker?: ort.InferenceSession;
}

/** Weights on a device, by parameter name. */
export type HeldWeights = ReadonlyMap<string, Held>;

/** Held tensors as a graph is fed them, each under `prefix` and its name. */
export function heldFeeds(held: HeldWeights, prefix = ''): Feeds {
  return Object.fromEntries([...held].map(([name, { tensor }]) => [prefix + name, tensor]));
}

export interface Session {
  /**
   * Runs the graph. Outputs named in `into` are written to held tensors; the others are returned
   * as CPU tensors. `run` blocks the thread until the graph has run.
   */
  run(feeds: Feeds, into?: Record<string, Held>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

export interface Device {
  readonly provider: Provider;
  /**
   * `held` names the outputs that will be written to held tensors; `threads` overrides the
   * provider's for a graph that one thread runs best. Throws `SESSION_FAILED`.
   */
  session(model: Uint8Array, held?: readonly string[], threads?: number): Promise<Session>;
  /**
   * Zeros of these shapes, and the same memory cut into the parts in which an elementwise graph
   * walks it best. On the CPU the tensors are contiguous and a part has at most `partSize` elements,
   * so that it fits the cache; on a GPU every tensor is a buffer, and a part, of its own.
   */
  allocate(shapes: readonly (readonly number[])[], partSize: number): Promise<Allocation>;
  /** The values; on the CPU the array itself, not a copy. */
  read(held: Held): Promise<Float32Array>;
  /** Overwrites the values: `fill` is given an array for them, of which it must set every element. */
  fill(held: Held, fill: Fill): Promise<void>;
  /**
   * Takes the memory of what was allocated and never written to, which the system hands out at the
   * first write, sooner and from several threads, while other work goes on.
   */
  touch(held: Held): Promise<void>;
  /** Takes memory that runs will ask for, while other work goes on, where that saves time later. */
  reserve(bytes: number): Promise<void>;
  /** Sets the values to zero, whatever they are. */
  clear(held: Held): Promise<void>;
  release(held: Held): void;
}

/** Sets every element of the array that it is given. */
export type Fill = (values: Float32Array) => void | Promise<void>;

/** What `Device.allocate` gives: two views of the same memory. */
export interface Allocation {
  /** In the order of the shapes. */
  tensors: Held[];
  parts: Held[];
}

export function runtimeVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common;
}

export async function openDevice(provider: Provider): Promise<Device> {
  const { residency } = providers[provider.name];
  return residency === 'device' ? openResidentDevice(provider) : openHostDevice(provider);
}

export function float32(data: Float32Array, dims: readonly number[]): Tensor {
  return new ort.Tensor('float32', data, dims);
}

export function int32(data: Int32Array, dims: readonly number[]): Tensor {
  return new ort.Tensor('int32', data, dims);
}

export function int64(data: Int32Array, dims: readonly number[]): Tensor {
  return new ort.Tensor('int64', BigInt64Array.from(data, BigInt), dims);
}

/** The array behind a float32 CPU tensor. */
export function floats(tensor: Tensor | undefined): Float32Array {
  const data = defined(tensor, 'output tensor').data;
  if (!(data instanceof Float32Array)) throw new Error('Internal error: expected float32');
  return data;
}

function openHostDevice(provider: Provider): Device {
  return {
    provider,
    session: async (model, _held, threads = provider.threads) => {
      const session = await create(model, { ...provider, threads }, {});
      return {
        run: async (feeds, into = {}) => {
          const fetches = Object.fromEntries(
            session.outputNames.map((name) => [name, own(into, name)?.tensor ?? null]),
          );
          const outputs = new Map(Object.entries(await session.run(feeds, fetches)));
          for (const [name, { tensor }] of Object.entries(into)) {
            const copy = floats(outputs.get(name));
            if (copy.buffer !== floats(tensor).buffer) discard(copy);
            outputs.delete(name);
          }
          return Object.fromEntries(outputs);
        },
        release: () => session.release(),
      };
    },
    allocate: (shapes, partSize) => {
      const memory = new Float32Array(shapes.reduce((sum, dims) => sum + sizeOf(dims), 0));
      const view = (from: number, dims: readonly number[]): Held => ({
        tensor: float32(memory.subarray(from, from + sizeOf(dims)), dims),
      });
      let next = 0;
      const tensors = shapes.map((dims) => view((next += sizeOf(dims)) - sizeOf(dims), dims));
      const parts: Held[] = [];
      for (let from = 0; from < memory.length; from += partSize) {
        parts.push(view(from, [Math.min(partSize, memory.length - from)]));
      }
      return Promise.resolve({ tensors, parts });
    },
    read: (held) => Promise.resolve(floats(held.tensor)),
    fill: async (held, fill) => {
      await fill(floats(held.tensor));
    },
    touch: (held) => touch(floats(held.tensor)),
    reserve,
    clear: (held) => {
      floats(held.tensor).fill(0);
      return Promise.resolve();
    },
    release: (held) => held.tensor.dispose(),
  };
}

async function openResidentDevice(provider: Provider): Promise<Device> {
  const identity = encodeIdentity();
  const upload = await create(identity, provider, { y: 'gpu-buffer' });
  const download = await create(identity, provider, {});
  const zeros = await create(encodeZeros(), provider, { y: 'gpu-buffer' });
  const toDevice = async (data: Float32Array, dims: readonly number[]): Promise<Tensor> =>
    defined((await upload.run({ x: float32(data, dims) })).y, 'uploaded tensor');
  return {
    provider,
    session: async (model, held = []) => {
      const locations = Object.fromEntries(held.map((name) => [name, 'gpu-buffer' as const]));
      const session = await create(model, provider, locations);
      return {
        run: async (feeds, into = {}) => {
          const outputs = await session.run(feeds);
          for (const [name, target] of Object.entries(into)) {
            target.tensor.dispose();
            target.tensor = defined(own(outputs, name), `output ${name}`);
            target.maker = session;
          }
          return outputs;
        },
        // Using a tensor of a released session crashes the process. One that made held tensors is
        // freed by the garbage collector, once all of them have been replaced.
        release: () => (held.length > 0 ? Promise.resolve() : session.release()),
      };
    },
    allocate: async (shapes) => {
      const tensors: Held[] = [];
      for (const dims of shapes) {
        tensors.push({ tensor: await toDevice(new Float32Array(sizeOf(dims)), dims) });
      }
      return { tensors, parts: tensors };
    },
    fill: async (held, fill) => {
      const { dims } = held.tensor;
      const values = new Float32Array(sizeOf(dims));
      await fill(values);
      held.tensor.dispose();
      held.tensor = await toDevice(values, dims);
      discard(values);
    },
    // Zeros were uploaded.
    touch: () => Promise.resolve(),
    // Buffers of the device, which nothing of this process can take for it.
    reserve: () => Promise.resolve(),
    clear: async (held) => {
      const { y } = await zeros.run({ x: held.tensor });
      held.tensor.dispose();
      held.tensor = defined(y, 'zeros');
    },
    read: async (held) => floats((await download.run({ x: held.tensor })).y),
    release: (held) => held.tensor.dispose(),
  };
}

function sizeOf(dims: readonly number[]): number {
  return dims.reduce((n, size) => n * size, 1);
}

async function create(
  model: Uint8Array,
  provider: Provider,
  locations: Record<string, 'gpu-buffer'>,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, {
      // Alone: beside another, ONNX Runtime would drop one that is absent without an error.
      executionProviders: [provider.name],
      intraOpNumThreads: provider.threads ?? 0,
      graphOptimizationLevel: 'all',
      // Nearly half the memory at the same speed.
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(Object.keys(locations).length > 0 ? { preferredOutputLocation: locations } : {}),
    });
  } catch (error) {
    throw new CfsError({
      code: 'SESSION_FAILED',
      message: `ONNX Runtime could not start on ${provider.name}: ${messageOf(error)}`,
      remedy: 'Run `cfs-studio doctor` to see which providers work here, or set provider: cpu.',
      cause: error,
    });
  }
}
