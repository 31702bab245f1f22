/** Decoding with a cache against the forward pass without one, and against Hugging Face's numbers. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { greedy } from '../../../src/generator/greedy.js';
import type { AttentionRule, Rope } from '../../../src/model/architecture.js';
import { createDecoders } from '../../../src/model/decoder.js';
import { createScorer } from '../../../src/model/scoreGraph.js';
import { createRandom } from '../../../src/random.js';
import { floats } from '../../../src/runtime/index.js';
import { folderModel, randomModel, type Loaded } from './decoderFixture.js';

const data = '../shared/data';

/** log p of each token of `ids` but the first, and whether it was the first choice; uncached. */
async function scoreUncached({ device, architecture, held }: Loaded, ids: number[]) {
  const scorer = createScorer(device, architecture);
  const supervised = Uint8Array.from(ids, (_, i) => (i === 0 ? 0 : 1));
  const [scores] = await scorer.score(held, [{ ids: Int32Array.from(ids), supervised }]);
  await scorer.release();
  if (!scores) throw new Error('no scores');
  return scores;
}

function randomTokens(count: number, vocab: number): number[] {
  const random = createRandom(3, count);
  return Array.from({ length: count }, () => random.below(vocab));
}

/** The model with parts of its layers' attention replaced. */
function withAttention(model: Loaded, part: (layer: number) => Partial<AttentionRule>): Loaded {
  const { architecture } = model;
  const attention = (layer: number): AttentionRule => ({
    ...architecture.attention(layer),
    ...part(layer),
  });
  return { ...model, architecture: { ...architecture, attention } };
}

async function greedyFrom(model: Loaded, prompts: number[][], maxTokens: number) {
  const decoder = await createDecoders(model.device, model.architecture).open(model.held, {
    batch: prompts.length,
    sampling: 'greedy',
  });
  const written = await greedy(prompts, { decoder, maxTokens, stopIds: [] });
  decoder.release();
  return written;
}

describe('decoding with a cache', () => {
  it.each([
    ['grouped heads', { num_key_value_heads: 2 }],
    ['as many key heads as query heads', { num_key_value_heads: 4 }],
    ['one key head', { num_key_value_heads: 1 }],
    ['biases, tied embeddings', { attention_bias: true, tie_word_embeddings: true }],
  ])('writes what the whole forward pass would: %s', async (_, config) => {
    const model = await randomModel(config);
    // One prompt longer than a prefill, one of a single token.
    const prompts = [1, 5, 17, 131].map((length) => randomTokens(length, 48));
    const written = await greedyFrom(model, prompts, 21);
    for (const [i, prompt] of prompts.entries()) {
      const { greedy: first } = await scoreUncached(model, [...prompt, ...(written[i] ?? [])]);
      expect(Array.from(first.slice(prompt.length - 1))).toEqual(new Array(21).fill(1));
    }
  });

  it('keeps to the window of a layer', async () => {
    const model = await randomModel();
    const windowed = withAttention(model, (layer) => (layer === 0 ? { window: 6 } : {}));
    const prompts = [[5], randomTokens(40, 48)];
    const written = await greedyFrom(windowed, prompts, 30);
    for (const [i, prompt] of prompts.entries()) {
      const ids = [...prompt, ...(written[i] ?? [])];
      const { greedy: first } = await scoreUncached(windowed, ids);
      expect(Array.from(first.slice(prompt.length - 1))).toEqual(new Array(30).fill(1));
    }
    expect(written).not.toEqual(await greedyFrom(model, prompts, 30));
  });

  it('caps scores and rotates by frequencies of its own in each layer', async () => {
    const model = await randomModel();
    const other: Rope = { inverseFrequencies: [1, 0.3] };
    const mixed = withAttention(model, (layer) =>
      layer === 0 ? { softcap: 0.5, rope: other } : { rope: undefined },
    );
    const prompts = [[5], randomTokens(40, 48)];
    const written = await greedyFrom(mixed, prompts, 20);
    for (const [i, prompt] of prompts.entries()) {
      const { greedy: first } = await scoreUncached(mixed, [...prompt, ...(written[i] ?? [])]);
      expect(Array.from(first.slice(prompt.length - 1))).toEqual(new Array(20).fill(1));
    }
    const { logprob } = await scoreUncached(mixed, prompts[1] ?? []);
    for (const part of [{ softcap: 0.5 }, { rope: other }]) {
      const lacking = withAttention(model, (layer) => (layer === 0 ? part : { rope: undefined }));
      expect((await scoreUncached(lacking, prompts[1] ?? [])).logprob).not.toEqual(logprob);
    }
  });

  it('reports the log-probabilities of the whole forward pass', async () => {
    const model = await randomModel();
    const decoder = await createDecoders(model.device, model.architecture).open(model.held, {
      batch: 3,
      sampling: { temperature: 1 },
    });
    const random = createRandom(5);
    let last = Int32Array.of(1, 2, 3);
    const rows = Array.from(last, (token) => [token]);
    const logprobs: number[][] = rows.map(() => []);
    for (let run = 0; run < 9; run++) {
      const uniforms = Float32Array.from({ length: 3 * 16 }, () => random.uniform());
      const result = await decoder.run(last, 16, uniforms);
      result.tokens.forEach((token, i) => {
        rows[i % 3]?.push(token);
        logprobs[i % 3]?.push(result.logprobs[i] ?? NaN);
      });
      last = result.tokens.slice(-3);
    }
    for (const [row, ids] of rows.entries()) {
      const { logprob } = await scoreUncached(model, ids);
      const worst = Math.max(
        ...(logprobs[row] ?? []).map((value, i) => Math.abs(value - (logprob[i] ?? NaN))),
      );
      expect(worst).toBeLessThan(2e-5);
    }
    decoder.release();
  });

  it('reads the weights of the moment', async () => {
    const model = await randomModel();
    const prompts = [[1], [2, 3, 4]];
    const decoder = await createDecoders(model.device, model.architecture).open(model.held, {
      batch: 2,
      sampling: 'greedy',
    });
    const options = { decoder, maxTokens: 12, stopIds: [] };
    const before = await greedy(prompts, options);
    expect(before).toEqual(await greedyFrom(model, prompts, 12));
    const weight = model.held.get('model.layers.0.mlp.down_proj.weight');
    if (!weight) throw new Error('no weight');
    floats(weight.tensor).fill(0);
    const after = await greedy(prompts, options);
    expect(after).not.toEqual(before);
    expect(after).toEqual(await greedyFrom(model, prompts, 12));
    decoder.release();
  });
});

describe.skipIf(!existsSync(`${data}/oracles`))('Hugging Face’s greedy continuations', () => {
  it.each(['llama', 'llama3rope', 'llama-bf16', 'llama-sharded'])('of %s', async (name) => {
    const folder = `${data}/oracles/${name}`;
    const { greedy: expected } = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as {
      greedy: { prompt: number[]; continuation: number[] };
    };
    const model = await folderModel(folder);
    const [written] = await greedyFrom(model, [expected.prompt, [1]], expected.continuation.length);
    expect(written).toEqual(expected.continuation);
  });
});

describe.skipIf(!existsSync(`${data}/models`))('the real models', () => {
  it.each(['stories15M', 'stories260K'])('%s agrees with its fixture', async (name) => {
    const folder = `${data}/models/${name}`;
    const fixture = JSON.parse(readFileSync(`${folder}/logit_fixture.json`, 'utf8')) as {
      prompt_ids: number[];
      last_logits_top5: [number, number][];
    };
    const model = await folderModel(folder);
    const [written] = await greedyFrom(model, [fixture.prompt_ids], 8);
    expect(written?.[0]).toBe(fixture.last_logits_top5[0]?.[0]);
    const ids = [...fixture.prompt_ids, ...(written ?? [])];
    const { greedy: first } = await scoreUncached(model, ids);
    expect(Array.from(first.slice(-8))).toEqual(new Array(8).fill(1));
  });
});
