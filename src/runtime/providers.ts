/**
 * The execution providers of ONNX Runtime: one row of a table says everything in which they differ
 * for us.
 */
import type { Kernels } from '../graph/index.js';
import type { ProviderName } from '../protocol/providers.js';

export type { ProviderName } from '../protocol/providers.js';

export interface Provider {
  name: ProviderName;
  /** Threads for operators that run on the CPU; `undefined` lets ONNX Runtime choose. */
  threads?: number;
}

export interface ProviderTraits {
  /** Kernels that decide how a graph is emitted. */
  kernels: Kernels;
  /** Where tensors lie that outlive a run; outputs stay on a device on WebGPU only. */
  residency: 'host' | 'device';
  /** Where a graph computes, and so where its activations lie. */
  computesOn: 'host' | 'device';
  /** Relative deviation from the CPU beyond which its numbers are wrong. */
  tolerance: number;
  /** What to do where it does not work. */
  remedy: string;
}

/** Elsewhere FusedMatMul has no kernel and would fall back to the CPU with copies. */
const withoutFusion: Kernels = { fusedMatMul: false };
const tolerance = 2e-3;

export const providers: Record<ProviderName, ProviderTraits> = {
  cpu: {
    kernels: { fusedMatMul: true },
    residency: 'host',
    computesOn: 'host',
    tolerance,
    remedy: 'Install the extension for this platform.',
  },
  webgpu: {
    kernels: withoutFusion,
    residency: 'device',
    computesOn: 'device',
    tolerance,
    remedy: 'WebGPU needs a GPU with a current driver (Vulkan on Linux, Direct3D 12 on Windows).',
  },
  cuda: {
    kernels: withoutFusion,
    residency: 'host',
    computesOn: 'device',
    tolerance,
    remedy:
      'CUDA needs Linux, an NVIDIA GPU, and ONNX Runtime’s CUDA libraries, which you install yourself.',
  },
  dml: {
    kernels: withoutFusion,
    residency: 'host',
    computesOn: 'device',
    tolerance,
    remedy: 'DirectML needs Windows.',
  },
  coreml: {
    kernels: withoutFusion,
    residency: 'host',
    computesOn: 'device',
    tolerance,
    remedy: 'Core ML needs a Mac with Apple silicon.',
  },
};

export function kernelsOf(provider: ProviderName): Kernels {
  return providers[provider].kernels;
}
