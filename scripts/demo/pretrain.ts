/**
 * Pretrains the demo's base model from random weights on the generated corpus, with the engine's own
 * trainer, and writes `media/demo/model/model.safetensors`. Seeded: the same machine makes the same
 * weights. Run by hand (`npm run demo:pretrain`); an interrupted run resumes where it stopped.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sft } from '../../src/methods/sft.js';
import { storeRows } from '../../src/mixer/rowStore.js';
import { contextFreeRow } from '../../src/mixer/rows.js';
import { createMixer, sourceOf } from '../../src/mixer/mixer.js';
import { architectureOf } from '../../src/model/families/index.js';
import { elementCount } from '../../src/model/parameters.js';
import { writeSafetensors } from '../../src/model/safetensorsWriter.js';
import { loadTokenizer } from '../../src/model/tokenizer.js';
import type { Parameter } from '../../src/model/weights.js';
import { createRandom } from '../../src/random.js';
import { openDevice } from '../../src/runtime/index.js';
import { stateOf } from '../../src/trainer/optimizer.js';
import { copied, createStore } from '../../src/trainer/store.js';
import { objectiveOf } from '../../src/trainer/step.js';
import { planStore } from '../../src/trainer/storePlan.js';
import { train } from '../../src/trainer/trainer.js';
import { adamW } from '../../src/trainer/transforms.js';
import { defined } from '../../src/errors.js';
import { generateCorpus } from './corpus.js';
import { modelConfig } from './modelConfig.js';

const seed = 1;
const documents = 120_000;
const steps = 4_000;
const folder = join('media', 'demo', 'model');
const work = join('.cfs', 'demo-pretraining');

const architecture = architectureOf({
  config: { ...modelConfig },
  file: join(folder, 'config.json'),
  hasTensor: () => true,
});
const tokenizer = loadTokenizer(folder);
const rows = storeRows(documentRows());
const sources = [sourceOf('dataset', rows)];
console.log(`${rows.count} documents, ${rows.tokens} tokens`);

const device = await openDevice({ name: 'cpu' });
const optimizer = adamW({
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  decayVectors: false,
});
const plan = planStore(architecture.parameters, stateOf(optimizer), 'cpu');
const store = await createStore(device, plan, copied(initialWeights()));
mkdirSync(work, { recursive: true });
const started = performance.now();
await train({
  device,
  architecture,
  store,
  createMixer: (cursor) => createMixer({ sources, mode: 'per-batch', batchRows: 80, seed, cursor }),
  objective: objectiveOf(sft, { lambda: 1, own: {} }),
  shape: { time: modelConfig.max_position_embeddings, maxTokens: 8192 },
  optimizer,
  schedule: { name: 'cosine', learningRate: 2.5e-3, warmupSteps: 100, steps },
  clipNorm: 1,
  // The start follows from the seed alone.
  checkpoints: { folder: work, every: 500, keep: 1, inputs: `random weights of seed ${seed}` },
  evaluateAt: new Set(),
  evaluate: () => Promise.resolve(undefined),
  signal: new AbortController().signal,
  onStep: ({ step, loss, norm, tokens, seconds }) => {
    if (step % 50 !== 0) return;
    const minutes = ((performance.now() - started) / 60_000).toFixed(1);
    const rate = Math.round(tokens / seconds);
    console.log(
      `step ${step}/${steps}  loss ${loss.toFixed(4)}  norm ${norm.toFixed(2)}  ${rate} tokens/s  ${minutes} min`,
    );
  },
  onCheckpoint: () => undefined,
  onWarning: (warning) => console.warn(warning.message),
});

const weights = new Map<string, Float32Array>();
for await (const { name, data } of store.read('weight')) weights.set(name, data);
writeSafetensors(
  join(folder, 'model.safetensors'),
  architecture.parameters.map(({ name, shape }) => ({ name, shape, dtype: 'F32' })),
  ({ name }) => defined(weights.get(name), name),
);

function* documentRows() {
  for (const { text } of generateCorpus({ seed, documents })) {
    yield contextFreeRow([
      modelConfig.bos_token_id,
      ...tokenizer.encode(text),
      modelConfig.eos_token_id,
    ]);
  }
}

/** Normal with the config's deviation, smaller where a layer adds to the residual (GPT-2's rule). */
function initialWeights(): (name: string) => Float32Array {
  const random = createRandom(seed);
  const residual = 1 / Math.sqrt(2 * modelConfig.num_hidden_layers);
  const initialize = (parameter: Parameter): Float32Array => {
    const { name, role } = parameter;
    const size = elementCount(parameter);
    if (role === 'vector') return new Float32Array(size).fill(1);
    const factor = /o_proj|down_proj/.test(name) ? residual : 1;
    const deviation = modelConfig.initializer_range * factor;
    return Float32Array.from({ length: size }, () => random.normal() * deviation);
  };
  const values = new Map(architecture.parameters.map((p) => [p.name, initialize(p)]));
  return (name) => defined(values.get(name), name);
}
