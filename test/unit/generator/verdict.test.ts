/** The sanity verdict, on samples of a real model and on samples with a known fault. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generate } from '../../../src/generator/generate.js';
import type { Sample } from '../../../src/generator/samples.js';
import { judgeSamples } from '../../../src/generator/verdict.js';
import { createDecoders } from '../../../src/model/decoder.js';
import { loadTokenizer } from '../../../src/model/tokenizer.js';
import { folderModel } from '../model/decoderFixture.js';

const stories = '../shared/data/models/stories260K';

/** 20 samples whose entropies scatter around `entropy` by 0.05 nats. */
function madeSamples(entropy: number, change: Partial<Sample> = {}): Sample[] {
  return Array.from({ length: 20 }, (_, index) => {
    const tokens = Array.from({ length: 40 }, (_, t) => (t * 7 + index) % 100);
    return {
      index,
      bosId: 1,
      tokens,
      text: 'A dog ran home. It was happy.',
      pieces: tokens.map(String),
      logprobs: tokens.map(() => -entropy),
      entropy: entropy + (index % 2 === 0 ? 0.05 : -0.05),
      stop: 'length',
      ...change,
    };
  });
}
const from = (tokenId: number, samples: Sample[]) => ({ tokenId, token: `<${tokenId}>`, samples });

describe('judgeSamples', () => {
  it('accepts samples that no other BOS token beats', () => {
    const verdict = judgeSamples(from(1, madeSamples(1)), [from(2, madeSamples(1.9))], 32000);
    expect(verdict).toEqual({
      coherent: true,
      reason: 'Mean entropy 1.00 nats; samples from “<2>” are no better.',
    });
  });

  it('names the BOS token that is clearly better', () => {
    const verdict = judgeSamples(
      from(2, madeSamples(1.9)),
      [from(3, madeSamples(1.8)), from(1, madeSamples(1))],
      32000,
    );
    expect(verdict.coherent).toBe(false);
    expect(verdict.betterTokenId).toBe(1);
    expect(verdict.reason).toContain('is the BOS token wrong?');
  });

  it('does not take a small difference for a sign', () => {
    const verdict = judgeSamples(from(1, madeSamples(1.2)), [from(2, madeSamples(1))], 32000);
    expect(verdict.coherent).toBe(true);
  });

  it('sees noise, repetition and unreadable characters without a comparison', () => {
    expect(judgeSamples(from(1, madeSamples(9)), [], 32000).reason).toContain('entropy 9.00');
    const stuck = madeSamples(0.1, { tokens: new Array<number>(40).fill(5) });
    expect(judgeSamples(from(1, stuck), [], 32000).reason).toContain('4-grams repeat');
    const bytes = madeSamples(1, { text: '\uFFFD\uFFFD\u0000a' });
    expect(judgeSamples(from(1, bytes), [], 32000).reason).toContain('25 % of the characters');
    expect(judgeSamples(from(1, []), [], 32000).coherent).toBe(false);
  });

  it('is not fooled by another BOS token that only repeats itself', () => {
    const stuck = madeSamples(0.1, { tokens: new Array<number>(40).fill(5) });
    expect(judgeSamples(from(1, madeSamples(1)), [from(2, stuck)], 32000).coherent).toBe(true);
  });
});

describe.skipIf(!existsSync(stories))('the verdict on stories260K', () => {
  it.each([0.7, 1, 1.3])(
    'tells BOS from the other tokens at temperature %f',
    async (temperature) => {
      const { device, architecture, held } = await folderModel(stories);
      const tokenizer = loadTokenizer(stories);
      const decoder = await createDecoders(device, architecture).open(held, {
        batch: 24,
        sampling: { temperature },
      });
      const samplesFrom = async (bosId: number) => {
        const samples: Sample[] = [];
        const options = { decoder, tokenizer, bosIds: [bosId], eosIds: [1, 2], count: 24, seed: 5 };
        for await (const sample of generate({ ...options, maxLength: 96, stopAtEos: true })) {
          samples.push(sample);
        }
        return from(bosId, samples);
      };
      const bos = await samplesFrom(1);
      const wrong = [await samplesFrom(0), await samplesFrom(2), await samplesFrom(100)];
      expect(judgeSamples(bos, wrong, architecture.vocabSize).coherent).toBe(true);
      for (const chosen of wrong) {
        const verdict = judgeSamples(chosen, [bos], architecture.vocabSize);
        expect(verdict.coherent).toBe(false);
        expect(verdict.betterTokenId).toBe(1);
      }
      decoder.release();
    },
  );
});
