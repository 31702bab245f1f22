/**
 * A model on a provider as the GPU check handles it. All that the check knows of the core's interfaces
 * is in this file, so that a change of theirs is a change here alone.
 */
import { numbersAsText } from '../../bench/support/numbersAsText.js';
import { defined } from '../../src/errors.js';
import { generate } from '../../src/generator/generate.js';
import { sft } from '../../src/methods/sft.js';
import type { TokenRow } from '../../src/model/batch.js';
import { createDecoders } from '../../src/model/decoder.js';
import { folderArchitecture } from '../../src/model/families/index.js';
import { openModelFolder } from '../../src/model/folder.js';
import { parameterCount } from '../../src/model/parameters.js';
import { createScorer } from '../../src/model/scoreGraph.js';
import { openDevice, type ProviderName } from '../../src/runtime/index.js';
import { createOptimizer, stateOf } from '../../src/trainer/optimizer.js';
import { createGradientComputer, objectiveOf } from '../../src/trainer/step.js';
import { createStore } from '../../src/trainer/store.js';
import { planFrozen, planStore, type StorePlan } from '../../src/trainer/storePlan.js';
import { adamW } from '../../src/trainer/transforms.js';
import { optimizer as settings } from './shapes.js';

export interface Where {
  folder: string;
  provider: ProviderName;
  /** Left out: as many as the machine has. */
  threads?: number;
}

async function openModel({ folder, provider, threads }: Where) {
  const source = openModelFolder(folder);
  const architecture = folderArchitecture(source);
  const device = await openDevice({ name: provider, threads });
  const open = (plan: StorePlan) => createStore(device, plan, source.tensors.readInto);
  return { architecture, device, open, parameters: parameterCount(architecture.parameters) };
}

/** Training on lines of `time` tokens, `maxTokens` of them in one pass. */
export async function openTraining(where: Where, time: number, maxTokens: number) {
  const { architecture, device, open, parameters } = await openModel(where);
  const transforms = adamW({ ...settings, decayVectors: true });
  const plan = planStore(architecture.parameters, stateOf(transforms), where.provider);
  const store = await open(plan);
  const objective = objectiveOf(sft, { lambda: 1, own: {} });
  const gradients = createGradientComputer(
    device,
    architecture,
    store,
    { time, maxTokens },
    objective,
  );
  const optimizer = await createOptimizer(device, store, transforms);
  const sizes = [...store.weights.values()].sort((a, b) => a.tensor.size - b.tensor.size);
  const smallest = defined(sizes[0], 'weight');
  let updates = 0;
  return {
    parameters,
    vocabulary: architecture.vocabSize,
    step: async (rows: TokenRow[]) => {
      const began = performance.now();
      const { loss, norm } = await gradients.compute({
        epoch: 0,
        index: updates,
        rows,
        sources: rows.map(() => 'dataset'),
        rowIndices: rows.map((_, i) => i),
      });
      const computed = performance.now();
      const clip = Math.min(1, settings.clip / (norm + 1e-6));
      await optimizer.update(++updates, settings.learningRate, clip);
      // A GPU may still be at work on what it was told to do; a value of it waits for the end.
      await device.read(smallest);
      const ended = performance.now();
      return {
        loss,
        norm,
        seconds: (ended - began) / 1000,
        optimizer: (ended - computed) / 1000,
      };
    },
  };
}

/** Scoring and sampling, by a model whose weights stay as they are. */
export async function openReading(where: Where) {
  const { architecture, device, open, parameters } = await openModel(where);
  const store = await open(planFrozen(architecture.parameters, where.provider));
  const scorer = createScorer(device, architecture);
  return {
    parameters,
    vocabulary: architecture.vocabSize,
    /** Mean −log p of the rows' targets, nats. */
    score: async (rows: TokenRow[]): Promise<number> => {
      const scores = await scorer.score(store.weights, rows);
      const logprobs = scores.flatMap(({ logprob }) => [...logprob]);
      return -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
    },
    /** A decoder of so many rows; each call of `write` makes every row write `tokens` tokens. */
    openSampling: async (batch: number, tokens: number) => {
      const decoder = await createDecoders(device, architecture).open(store.weights, {
        batch,
        sampling: { temperature: 1 },
        maxTokens: tokens + 1,
      });
      const write = async (seed: number): Promise<number> => {
        let written = 0;
        const samples = generate({
          decoder,
          tokenizer: numbersAsText,
          bosIds: [1],
          eosIds: [],
          count: batch,
          seed,
          maxLength: tokens,
          stopAtEos: false,
        });
        for await (const sample of samples) written += sample.tokens.length;
        return written;
      };
      /** Reads a prompt in every row. */
      const prefill = (prompt: readonly number[]): Promise<void> =>
        decoder.prefill(Array.from({ length: batch }, () => prompt));
      return { write, prefill };
    },
  };
}
