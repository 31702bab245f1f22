/** A tiny random Llama with its parameters on a device, and rows to train it on. */
import type { Architecture } from '../../src/model/architecture.js';
import type { TokenRow } from '../../src/model/batch.js';
import type { MixedStep } from '../../src/mixer/step.js';
import { createRandom } from '../../src/random.js';
import { openDevice, type Device, type ProviderName } from '../../src/runtime/index.js';
import { stateOf, type Transform } from '../../src/trainer/optimizer.js';
import { copied, createStore, type ParameterStore } from '../../src/trainer/store.js';
import { planStore, type Kind } from '../../src/trainer/storePlan.js';
import { adamW, type AdamWSettings } from '../../src/trainer/transforms.js';
import { configArchitecture } from './configArchitecture.js';

export interface TinyTraining {
  device: Device;
  architecture: Architecture;
  store: ParameterStore;
}

/** A chain whose state every store made here keeps. */
export function tinyOptimizer(overrides: Partial<AdamWSettings> = {}): Transform[] {
  return adamW({
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weightDecay: 0.01,
    decayVectors: false,
    ...overrides,
  });
}

/** 2 layers, 24 wide, grouped heads, 160 words, untied. */
export const tinyArchitecture = {
  model_type: 'llama',
  vocab_size: 160,
  hidden_size: 24,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  tie_word_embeddings: false,
};

export async function tinyTraining(
  provider: ProviderName = 'cpu',
  scale = 0.2,
): Promise<TinyTraining> {
  const architecture = configArchitecture(tinyArchitecture);
  const device = await openDevice({ name: provider, threads: 1 });
  const random = createRandom(3);
  const values = new Map(
    architecture.parameters.map(({ name, shape, role }) => [
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
        role === 'vector' ? 1 + 0.1 * random.normal() : scale * random.normal(),
      ),
    ]),
  );
  const read = (name: string): Float32Array => values.get(name) ?? new Float32Array();
  const plan = planStore(architecture.parameters, stateOf(tinyOptimizer()), provider);
  return { device, architecture, store: await createStore(device, plan, copied(read)) };
}

/** Rows of 4 to `longest` random tokens; the first third of each is not supervised. */
export function randomRows(count: number, seed: number, longest = 24): TokenRow[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const length = 4 + random.below(longest - 3);
    return {
      ids: Int32Array.from({ length }, () => random.below(160)),
      supervised: Uint8Array.from({ length }, (_, i) => (i > length / 3 ? 1 : 0)),
    };
  });
}

/** One step of these rows. */
export function stepOf(rows: TokenRow[], source: (row: number) => string): MixedStep {
  const sources = rows.map((_, row) => source(row));
  return { epoch: 0, index: 0, rows, sources, rowIndices: rows.map((_, row) => row) };
}

/** A copy of all values of one kind, by parameter. */
export async function snapshot(
  store: ParameterStore,
  kind: Kind,
): Promise<Map<string, Float32Array>> {
  const copy = new Map<string, Float32Array>();
  for await (const { name, data } of store.read(kind)) copy.set(name, data.slice());
  return copy;
}

/** The largest |a − b| over all parameters, over the largest |b|. */
export function deviation(a: Map<string, Float32Array>, b: Map<string, Float32Array>): number {
  let [worst, scale] = [0, 0];
  for (const [name, expected] of b) {
    const found = a.get(name) ?? new Float32Array();
    expected.forEach((value, i) => {
      const difference = Math.abs((found[i] ?? NaN) - value);
      worst = difference <= worst ? worst : difference;
      scale = Math.max(scale, Math.abs(value));
    });
  }
  return worst / scale;
}
