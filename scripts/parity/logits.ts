/** A graph that gives the logits of every token, which no graph of the product does. */
import { Graph, type Kernels } from '../../src/graph/index.js';
import type { Architecture } from '../../src/model/architecture.js';
import type { Batch } from '../../src/model/batch.js';
import { outputLogits } from '../../src/model/outputLayer.js';
import { batchFeeds, forward } from '../../src/model/trunk.js';
import { createWeights, stored } from '../../src/model/weights.js';
import { floats, kernelsOf, type Device } from '../../src/runtime/index.js';

/** Inputs as those of `forward`; the output `logits` is `[batch·time, vocab]`. */
export function logitsGraph(
  architecture: Architecture,
  kernels: Kernels,
  time: number,
  read: (name: string) => Float32Array,
): Graph {
  const g = new Graph(kernels);
  const w = createWeights(g, stored(read)(g));
  const x = forward(g, architecture, w, time);
  g.output('logits', outputLogits(g, architecture.head(g, w, x)));
  return g;
}

/** The logits of a batch, `[batch·time, vocab]`. */
export async function logitsOf(
  device: Device,
  architecture: Architecture,
  batch: Batch,
  read: (name: string) => Float32Array,
): Promise<Float32Array> {
  const g = logitsGraph(architecture, kernelsOf(device.provider.name), batch.time, read);
  const session = await device.session(g.encode());
  const wanted = new Set(g.inputs.map(({ name }) => name));
  const feeds = Object.entries(batchFeeds(batch, 1)).filter(([name]) => wanted.has(name));
  const { logits } = await session.run(Object.fromEntries(feeds));
  await session.release();
  return floats(logits);
}
