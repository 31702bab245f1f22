/** Models for the tests of decoding: tiny random ones, and real folders where they are at hand. */
import { defined } from '../../../src/errors.js';
import type { Architecture } from '../../../src/model/architecture.js';
import { folderArchitecture } from '../../../src/model/families/index.js';
import { openModelFolder } from '../../../src/model/folder.js';
import { createRandom } from '../../../src/random.js';
import { openDevice, type Device, type Held } from '../../../src/runtime/index.js';
import { createStore } from '../../../src/trainer/store.js';
import { planFrozen } from '../../../src/trainer/storePlan.js';
import { configArchitecture } from '../../support/configArchitecture.js';

export interface Loaded {
  device: Device;
  architecture: Architecture;
  held: ReadonlyMap<string, Held>;
}

/** A Llama with grouped heads and random weights; logits are spread enough to tell tokens apart. */
export async function randomModel(overrides: Record<string, unknown> = {}): Promise<Loaded> {
  const config = {
    model_type: 'llama',
    vocab_size: 48,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 160,
    tie_word_embeddings: false,
    ...overrides,
  };
  const random = createRandom(7);
  return load(configArchitecture(config), ({ shape, role }) =>
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () =>
      role === 'vector' ? 1 + 0.1 * random.normal() : 0.3 * random.normal(),
    ),
  );
}

export async function folderModel(folder: string): Promise<Loaded> {
  const source = openModelFolder(folder);
  return load(folderArchitecture(source), ({ name }) => source.tensors.read(name));
}

async function load(
  architecture: Architecture,
  values: (parameter: Architecture['parameters'][number]) => Float32Array,
): Promise<Loaded> {
  const device = await openDevice({ name: 'cpu', threads: 2 });
  const drawn = new Map(architecture.parameters.map((p) => [p.name, values(p)]));
  const plan = planFrozen(architecture.parameters, 'cpu');
  const store = await createStore(device, plan, (name, values) =>
    values.set(defined(drawn.get(name), name)),
  );
  return { device, architecture, held: store.weights };
}
