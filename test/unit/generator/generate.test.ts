/** Context-free samples: reproducible, exact in distribution, resumable. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CfsError } from '../../../src/errors.js';
import { generate, type GenerateOptions } from '../../../src/generator/generate.js';
import type { Sample } from '../../../src/generator/samples.js';
import { createDecoders } from '../../../src/model/decoder.js';
import type { Sampling } from '../../../src/model/decoderSampling.js';
import { sampleRecordSchema } from '../../../src/protocol/records.js';
import { createScorer } from '../../../src/model/scoreGraph.js';
import { loadTokenizer, type Tokenizer } from '../../../src/model/tokenizer.js';
import { folderModel, randomModel, type Loaded } from '../model/decoderFixture.js';
import { chiSquarePValue, samplingDistribution } from './samplingReference.js';

const stories = '../shared/data/models/stories260K';

/** A random model has no text; its tokens are shown as numbers. */
const numbers: Tokenizer = {
  vocabSize: 48,
  encode: (text) => text.split(' ').map(Number),
  encodeWithSpecials: (text) => text.split(' ').map(Number),
  decode: (ids) => ids.join(' '),
  tokenText: String,
  idOf: Number,
  chatTemplate: undefined,
};

type Wanted = Partial<Omit<GenerateOptions, 'decoder'>> & { batch?: number; sampling?: Sampling };

async function samplesOf(model: Loaded, wanted: Wanted = {}): Promise<Sample[]> {
  const { batch = 4, sampling = { temperature: 1 }, ...options } = wanted;
  const { device, architecture, held } = model;
  const decoder = await createDecoders(device, architecture).open(held, {
    batch,
    sampling,
  });
  const samples: Sample[] = [];
  for await (const sample of generate({
    decoder,
    tokenizer: numbers,
    bosIds: [1],
    eosIds: [2],
    count: 12,
    seed: 42,
    maxLength: 60,
    stopAtEos: true,
    ...options,
  })) {
    samples.push(sample);
  }
  decoder.release();
  return samples.sort((a, b) => a.index - b.index);
}

/** log p(next token | ids) of the whole vocabulary, from the uncached forward pass. */
async function nextLogprobs({ device, architecture, held }: Loaded, ids: number[]) {
  const scorer = createScorer(device, architecture);
  const supervised = Uint8Array.from([...ids.map(() => 0), 1]);
  const rows = Array.from({ length: architecture.vocabSize }, (_, token) => ({
    ids: Int32Array.from([...ids, token]),
    supervised,
  }));
  const scores = await scorer.score(held, rows);
  await scorer.release();
  return scores.map(({ logprob }) => logprob[0] ?? NaN);
}

describe('generate', () => {
  it('gives the same samples for the same seed, and others for another', async () => {
    const model = await randomModel();
    const first = await samplesOf(model);
    expect(first).toHaveLength(12);
    expect(await samplesOf(model)).toEqual(first);
    expect((await samplesOf(model, { seed: 43 }))[0]?.tokens).not.toEqual(first[0]?.tokens);
  });

  it('gives a sample that does not depend on what else is generated', async () => {
    const model = await randomModel();
    const all = await samplesOf(model, { count: 20 });
    // Rows restarted at different times, or the tokens would prove little.
    expect(new Set(all.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(8);
    for (const index of [0, 7, 19]) {
      const others = new Set(all.map((sample) => sample.index).filter((i) => i !== index));
      const [alone] = await samplesOf(model, { count: 20, skip: others });
      expect(alone).toEqual(all[index]);
    }
  });

  it('resumes where a killed generation stopped', async () => {
    const model = await randomModel();
    const whole = await samplesOf(model);
    const done = whole.filter((_, i) => [0, 2, 3, 9].includes(i));
    const rest = await samplesOf(model, { skip: new Set(done.map(({ index }) => index)) });
    expect([...done, ...rest].sort((a, b) => a.index - b.index)).toEqual(whole);
  });

  it('agrees between batch sizes up to rounding', async () => {
    const model = await randomModel();
    const four = await samplesOf(model);
    for (const batch of [1, 7, 16]) {
      const other = await samplesOf(model, { batch });
      const same = four.filter((sample, i) => sample.tokens.join() === other[i]?.tokens.join());
      // A draw within rounding of a boundary may send a sample another way, hardly ever.
      expect(same.length).toBeGreaterThanOrEqual(11);
      for (const { index, logprobs } of same) {
        logprobs.forEach((value, t) => {
          expect(Math.abs(value - (other[index]?.logprobs[t] ?? NaN))).toBeLessThan(2e-5);
        });
      }
    }
  });

  it('stops at an EOS token or continues, and never beyond the longest length', async () => {
    const model = await randomModel();
    const stopped = await samplesOf(model, { count: 30 });
    const ended = stopped.filter(({ stop }) => stop === 'eos');
    expect(ended.length).toBeGreaterThan(0);
    for (const { tokens, logprobs, pieces, stop } of stopped) {
      expect(tokens.indexOf(2)).toBe(stop === 'eos' ? tokens.length - 1 : -1);
      expect(tokens.length).toBeLessThanOrEqual(60);
      expect(logprobs).toHaveLength(tokens.length);
      expect(pieces).toEqual(tokens.map(String));
    }
    const onward = await samplesOf(model, { count: 30, stopAtEos: false });
    expect(onward.every(({ tokens, stop }) => tokens.length === 60 && stop === 'length')).toBe(
      true,
    );
    for (const { index, tokens } of ended) {
      expect(onward[index]?.tokens.slice(0, tokens.length)).toEqual(tokens);
    }
  });

  it('yields what a line of samples.jsonl holds', async () => {
    const [sample] = await samplesOf(await randomModel(), { count: 1 });
    expect(sampleRecordSchema.parse(JSON.parse(JSON.stringify(sample)))).toEqual(sample);
  });

  it('fills the whole context', async () => {
    const model = await randomModel();
    const samples = await samplesOf(model, { maxLength: 160, stopAtEos: false, count: 5 });
    expect(samples.map(({ tokens }) => tokens.length)).toEqual([160, 160, 160, 160, 160]);
  });

  it('ends when it is told to', async () => {
    const model = await randomModel();
    expect(await samplesOf(model, { signal: AbortSignal.abort() })).toEqual([]);
  });

  it('refuses a length that the model cannot write', async () => {
    const model = await randomModel();
    const failure = await samplesOf(model, { maxLength: 161 }).catch((error: unknown) => error);
    expect((failure as CfsError).code).toBe('MAX_LENGTH_INVALID');
  });
});

describe('sampled tokens follow the model’s distribution (chi-square)', () => {
  const count = 6000;
  it.each<[string, Exclude<Sampling, 'greedy'>]>([
    ['as it is', { temperature: 1 }],
    ['at temperature 0.7', { temperature: 0.7 }],
    ['top-k 5', { temperature: 1, topK: 5 }],
    ['top-p 0.8', { temperature: 1, topP: 0.8 }],
  ])('%s', async (_, rule) => {
    const model = await randomModel();
    const samples = await samplesOf(model, {
      count,
      batch: 64,
      maxLength: 2,
      stopAtEos: false,
      sampling: rule,
    });
    const check = async (prefix: number[], next: number[]) => {
      const logprobs = await nextLogprobs(model, prefix);
      const { tokens, probabilities } = samplingDistribution(logprobs, rule);
      const counts = tokens.map((token) => next.filter((drawn) => drawn === token).length);
      // Nothing outside the allowed tokens.
      expect(counts.reduce((sum, n) => sum + n, 0)).toBe(next.length);
      expect(chiSquarePValue(counts, probabilities)).toBeGreaterThan(1e-4);
      return tokens[counts.indexOf(Math.max(...counts))] ?? -1;
    };
    const first = samples.map(({ tokens }) => tokens[0] ?? -1);
    const commonest = await check([1], first);
    const after = samples.filter(({ tokens }) => tokens[0] === commonest);
    expect(after.length).toBeGreaterThan(200);
    await check(
      [1, commonest],
      after.map(({ tokens }) => tokens[1] ?? -1),
    );
  });

  it('and the test would notice a wrong distribution', async () => {
    const model = await randomModel();
    const samples = await samplesOf(model, { count, batch: 64, maxLength: 1, stopAtEos: false });
    const logprobs = await nextLogprobs(model, [1]);
    const { probabilities } = samplingDistribution(logprobs, { temperature: 1.15 });
    const counts = probabilities.map(
      (_, token) => samples.filter(({ tokens }) => tokens[0] === token).length,
    );
    expect(chiSquarePValue(counts, probabilities)).toBeLessThan(1e-4);
  });
});

describe.skipIf(!existsSync(stories))('a real model (stories260K)', () => {
  it('writes samples whose entropy and log-probability agree', async () => {
    const model = await folderModel(stories);
    const samples = await samplesOf(model, {
      tokenizer: loadTokenizer(stories),
      count: 32,
      batch: 16,
      maxLength: 200,
      eosIds: [1, 2],
    });
    const tokens = samples.flatMap((sample) => sample.logprobs);
    const surprise = -tokens.reduce((sum, value) => sum + value, 0) / tokens.length;
    const entropy =
      samples.reduce((sum, sample) => sum + sample.entropy * sample.tokens.length, 0) /
      tokens.length;
    // The expectation of −log p(drawn token) is the entropy.
    expect(Math.abs(surprise - entropy)).toBeLessThan(0.1);
    expect(samples.every(({ text }) => /[a-z]{3}/.test(text))).toBe(true);
  });
});
