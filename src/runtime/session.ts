/**
 * The one place that creates ONNX Runtime sessions and owns the tensors that live longer than a
 * run. On the CPU a held tensor is an ordinary array that runs write into; on WebGPU it is a buffer
 * on the device that each run replaces.
 */
import * as ort from 'onnxruntime-node';
import { CfsError, defined, messageOf } from '../errors.js';
import { encodeIdentity } from '../graph/index.js';
import { keepsTensors, type Provider } from './providers.js';

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
  /** Takes over `data` (on the CPU without a copy). */
  hold(data: Float32Array, dims: readonly number[]): Promise<Held>;
  /** The values; on the CPU the array itself, not a copy. */
  read(held: Held): Promise<Float32Array>;
  release(held: Held): void;
}

export function runtimeVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common;
}

export async function openDevice(provider: Provider): Promise<Device> {
  return keepsTensors(provider.name) ? openResidentDevice(provider) : openHostDevice(provider);
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
        run: (feeds, into = {}) => {
          const fetches = Object.fromEntries(
            session.outputNames.map((name) => [name, into[name]?.tensor ?? null]),
          );
          return session.run(feeds, fetches);
        },
        release: () => session.release(),
      };
    },
    hold: (data, dims) => Promise.resolve({ tensor: float32(data, dims) }),
    read: (held) => Promise.resolve(floats(held.tensor)),
    release: (held) => held.tensor.dispose(),
  };
}

async function openResidentDevice(provider: Provider): Promise<Device> {
  const identity = encodeIdentity();
  const upload = await create(identity, provider, { y: 'gpu-buffer' });
  const download = await create(identity, provider, {});
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
            target.tensor = defined(outputs[name], `output ${name}`);
            target.maker = session;
          }
          return outputs;
        },
        // Using a tensor of a released session crashes the process. One that made held tensors is
        // freed by the garbage collector, once all of them have been replaced.
        release: () => (held.length > 0 ? Promise.resolve() : session.release()),
      };
    },
    hold: async (data, dims) => {
      const { y } = await upload.run({ x: float32(data, dims) });
      return { tensor: defined(y, 'uploaded tensor') };
    },
    read: async (held) => floats((await download.run({ x: held.tensor })).y),
    release: (held) => held.tensor.dispose(),
  };
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
      // Nearly half the memory at the same speed (design decision 10).
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(Object.keys(locations).length > 0 ? { preferredOutputLocation: locations } : {}),
    });
  } catch (error) {
    throw new CfsError({
      code: 'SESSION_FAILED',
      message: `ONNX Runtime could not start on ${provider.name}: ${messageOf(error)}`,
      remedy: 'Run «cfs-studio doctor» to see which providers work here, or set provider: cpu.',
      cause: error,
    });
  }
}
