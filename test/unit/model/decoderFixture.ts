/** Models for the tests of decoding: tiny random ones, and real folders where they are at hand. */
import { architectureOf, type Architecture } from '../../../src/model/architecture.js';
import { openModelFolder } from '../../../src/model/folder.js';
import { createRandom } from '../../../src/random.js';
import { openDevice, type Device, type Held } from '../../../src/runtime/index.js';

export interface Loaded {
  device: Device;
  architecture: Architecture;
  held: Map<string, Held>;
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
  return load(architectureOf(config, 'random'), ({ shape, vector }) =>
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () =>
      vector ? 1 + 0.1 * random.normal() : 0.3 * random.normal(),
    ),
  );
}

export async function folderModel(folder: string): Promise<Loaded> {
  const { config, tensors } = openModelFolder(folder);
  return load(architectureOf(config, folder), ({ name }) => tensors.read(name));
}

async function load(
  architecture: Architecture,
  values: (parameter: Architecture['parameters'][number]) => Float32Array,
): Promise<Loaded> {
  const device = await openDevice({ name: 'cpu', threads: 2 });
  const held = new Map<string, Held>();
  for (const parameter of architecture.parameters) {
    held.set(parameter.name, await device.hold(values(parameter), parameter.shape));
  }
  return { device, architecture, held };
}
