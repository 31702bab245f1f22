/**
 * A model as the parity check and the family contract handle it: weights on a device, and the public
 * pieces of the program that score, differentiate, train and decode them. All that these checks know
 * of the core's interfaces is in this file.
 */
import { greedy } from '../../src/generator/greedy.js';
import { Graph } from '../../src/graph/index.js';
import type { Architecture } from '../../src/model/architecture.js';
import { countSupervised, type TokenRow } from '../../src/model/batch.js';
import { createDecoders, type Decoder } from '../../src/model/decoder.js';
import type { Sampling } from '../../src/model/decoderSampling.js';
import { architectureOf } from '../../src/model/families/index.js';
import { outputLogits } from '../../src/model/outputLayer.js';
import { layOut, splitIntoBatches } from '../../src/model/packing.js';
import { createScorer, type RowScores } from '../../src/model/scoreGraph.js';
import { batchFeeds, forward } from '../../src/model/trunk.js';
import { createWeights, weightInputs, type Parameter } from '../../src/model/weights.js';
import {
  floats,
  kernelsOf,
  openDevice,
  type Device,
  type Feeds,
  type ProviderName,
} from '../../src/runtime/index.js';
import { createOptimizer, type Optimizer } from '../../src/trainer/optimizer.js';
import { createGradientComputer } from '../../src/trainer/step.js';
import { copied, createStore, type ParameterStore } from '../../src/trainer/store.js';
import { planStore } from '../../src/trainer/storePlan.js';
import { adamW, type AdamWSettings } from '../../src/trainer/transforms.js';

/** A parsed `config.json`. */
export type ModelConfig = Record<string, unknown>;

export interface TestedModel {
  architecture: Architecture;
  device: Device;
  store: ParameterStore;
}

export interface GradientNumbers {
  /** Mean −log p over all targets, nats. */
  loss: number;
  /** Global ℓ2 norm of the gradients. */
  norm: number;
  /** −log p of every target, nats, row after row. `[targets]` */
  nll: Float32Array;
}

/** Tokens of one forward and backward pass: all that any of these checks has. */
const maxTokens = 4096;

export interface Training {
  /** Leaves the gradients of the mean loss over the rows' targets in the store. */
  compute(rows: readonly TokenRow[]): Promise<GradientNumbers>;
  release(): Promise<void>;
}

/** Of a checkpoint that holds every tensor it is asked about. */
function architectureFor(config: ModelConfig): Architecture {
  return architectureOf({ config, file: 'config.json', hasTensor: () => true });
}

/** The parameters of a configuration, by their names in a checkpoint. */
export function parametersOf(config: ModelConfig): readonly Parameter[] {
  return architectureFor(config).parameters;
}

export function vocabularyOf({ architecture }: TestedModel): number {
  return architecture.vocabSize;
}

export async function openTestedModel(
  config: ModelConfig,
  read: (name: string) => Float32Array,
  provider: ProviderName,
): Promise<TestedModel> {
  const architecture = architectureFor(config);
  const device = await openDevice({ name: provider, threads: 1 });
  const plan = planStore(architecture.parameters, ['firstMoment', 'secondMoment'], provider);
  const store = await createStore(device, plan, copied(read));
  return { architecture, device, store };
}

export function releaseModel({ store }: TestedModel): void {
  store.release();
}

/** A copy of all weights or gradients, by parameter. */
export async function valuesOf(
  { store }: TestedModel,
  kind: 'weight' | 'gradient',
): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for await (const { name, data } of store.read(kind)) values.set(name, data.slice());
  return values;
}

export function setWeight(
  { store }: TestedModel,
  name: string,
  values: Float32Array,
): Promise<void> {
  return store.fill('weight', name, (all) => all.set(values));
}

/** The logits of each row, every row in a line of its own. `[rows][length, vocab]` */
export async function logitsOf(
  { architecture, device, store }: TestedModel,
  rows: readonly TokenRow[],
): Promise<Float32Array[]> {
  const time = Math.max(...rows.map(({ ids }) => ids.length));
  const lines = rows.map((_, row) => [row]);
  const g = new Graph(kernelsOf(device.provider.name));
  const w = createWeights(g, weightInputs(g));
  const x = forward(g, architecture, w, time);
  g.output('logits', outputLogits(g, architecture.head(g, w, x)));
  const session = await device.session(g.encode());
  const weights = Object.fromEntries([...store.weights].map(([name, held]) => [name, held.tensor]));
  const feeds: Feeds = { ...weights, ...batchFeeds(layOut(rows, lines, time), 1) };
  const wanted = new Set(g.inputs.map(({ name }) => name));
  const outputs = await session.run(
    Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name))),
  );
  const logits = floats(outputs.logits);
  await session.release();
  const { vocabSize } = architecture;
  return rows.map(({ ids }, row) => {
    const from = row * time * vocabSize;
    return logits.slice(from, from + ids.length * vocabSize);
  });
}

/** How many lines of `time` tokens the rows take up in training. */
export function linesOf(rows: readonly TokenRow[], time: number): number {
  const batches = splitIntoBatches(rows, { maxTime: time, multiple: time, maxTokens });
  return batches.reduce((lines, { batch }) => lines + batch, 0);
}

/** Training on lines of `time` tokens. */
export function openTraining({ architecture, device, store }: TestedModel, time: number): Training {
  // The mean over all targets.
  const computer = createGradientComputer(
    device,
    architecture,
    store,
    { time, maxTokens },
    {
      targetWeights: ({ rows }) => {
        const targets = rows.reduce((sum, row) => sum + countSupervised(row), 0);
        return new Float32Array(targets).fill(1 / targets);
      },
    },
  );
  return {
    compute: (rows) =>
      computer.compute({
        epoch: 0,
        index: 0,
        rows: [...rows],
        sources: rows.map(() => 'dataset'),
        rowIndices: rows.map((_, i) => i),
      }),
    release: () => computer.release(),
  };
}

export function openAdamW(
  { device, store }: TestedModel,
  settings: AdamWSettings,
): Promise<Optimizer> {
  return createOptimizer(device, store, adamW(settings));
}

/** Log-probabilities of the rows' targets with the present weights; rows may share a line. */
export async function scoresOf(
  { architecture, device, store }: TestedModel,
  rows: TokenRow[],
): Promise<RowScores[]> {
  const scorer = createScorer(device, architecture);
  const scores = await scorer.score(store.weights, rows);
  await scorer.release();
  return scores;
}

/** `scoresOf` with one session for many calls. */
export function openScoring({ architecture, device, store }: TestedModel) {
  const scorer = createScorer(device, architecture);
  return {
    score: (rows: TokenRow[]) => scorer.score(store.weights, rows),
    release: () => scorer.release(),
  };
}

export function openDecoding(
  { architecture, device, store }: TestedModel,
  options: { batch: number; sampling: Sampling },
): Promise<Decoder> {
  return createDecoders(device, architecture).open(store.weights, options);
}

/** Greedy continuations of the prompts, decoded together, none ended early. */
export async function greedyTexts(
  model: TestedModel,
  prompts: readonly (readonly number[])[],
  maxTokens: number,
): Promise<number[][]> {
  const options = { batch: prompts.length, sampling: 'greedy' } as const;
  const decoder = await openDecoding(model, options);
  const written = await greedy(prompts, { decoder, maxTokens, stopIds: [] });
  decoder.release();
  return written;
}
