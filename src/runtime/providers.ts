/** The execution providers of ONNX Runtime and what each can do for us. */
import type { Kernels } from '../graph/index.js';
import type { ProviderName } from '../protocol/providers.js';

export { providerNames, type ProviderName } from '../protocol/providers.js';

export interface Provider {
  name: ProviderName;
  /** Threads for operators that run on the CPU; `undefined` lets ONNX Runtime choose. */
  threads?: number;
}

/** Kernels that decide how a graph is emitted for a provider. */
export function kernelsOf(provider: ProviderName): Kernels {
  // Elsewhere FusedMatMul has no kernel and would fall back to the CPU with copies.
  return { fusedMatMul: provider === 'cpu' };
}

/** Whether outputs can stay on the device between runs (design decision 3). */
export function keepsTensors(provider: ProviderName): boolean {
  return provider === 'webgpu';
}
