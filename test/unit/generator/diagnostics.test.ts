/** The diagnostics, on samples small enough to count by hand. */
import { describe, expect, it } from 'vitest';
import { diagnoseSample, diagnoseSet, printableShare } from '../../../src/generator/diagnostics.js';
import type { Sample } from '../../../src/generator/samples.js';

function sample(tokens: number[], change: Partial<Sample> = {}): Sample {
  return {
    index: 0,
    bosId: 1,
    tokens,
    text: tokens.join(' '),
    pieces: tokens.map(String),
    logprobs: tokens.map(() => -1),
    entropy: 2,
    stop: 'length',
    ...change,
  };
}

describe('diagnoseSample', () => {
  it('counts n-grams, repetition and runs', () => {
    // 2-grams: 56 66 65 56 66 65 56 → 56, 66, 65; 4-grams: 5665 6656 6566 5665 6656 → 3 distinct.
    const result = diagnoseSample(sample([5, 6, 6, 5, 6, 6, 5, 6]));
    expect(result.length).toBe(8);
    expect(result.distinct1).toBeCloseTo(2 / 8);
    expect(result.distinct2).toBeCloseTo(3 / 7);
    expect(result.distinct3).toBeCloseTo(3 / 6);
    expect(result.repetition).toBeCloseTo(2 / 5);
    expect(result.longestRun).toBe(2);
  });

  it('gives the mean log-probability and the perplexity', () => {
    const result = diagnoseSample(sample([1, 2], { logprobs: [-1, -3] }));
    expect(result.meanLogprob).toBe(-2);
    expect(result.perplexity).toBeCloseTo(Math.exp(2));
  });

  it('calls nothing repeated in a sample too short to repeat', () => {
    const result = diagnoseSample(sample([4]));
    expect(result.repetition).toBe(0);
    expect(result.distinct3).toBe(1);
  });
});

describe('printableShare', () => {
  it.each([
    ['Ein Mädchen, 我们!\n', 1],
    ['👍 ok', 1],
    ['', 1],
    ['a\uFFFDb\u0000', 0.5],
  ])('of %j is %d', (text, share) => {
    expect(printableShare(text)).toBe(share);
  });
});

describe('diagnoseSet', () => {
  const set = [
    sample([1, 2, 3, 4], { text: 'The end.', stop: 'eos', logprobs: [-1, -1, -1, -1] }),
    sample([1, 2, 3, 4], { text: 'The end.', logprobs: [-1, -1, -1, -1] }),
    sample([9, 8], { text: 'the END', logprobs: [-4, -4] }),
    sample([7, 7], { text: 'Another.', logprobs: [-1, -1] }),
  ];
  const result = diagnoseSet(set);

  it('counts duplicates, exact and near', () => {
    expect(result.exactDuplicates).toBe(1);
    expect(result.nearDuplicates).toBe(2);
  });

  it('weighs tokens, not samples, in the perplexity', () => {
    expect(result.tokens).toBe(12);
    expect(result.perplexity).toBeCloseTo(Math.exp((4 + 4 + 8 + 2) / 12));
  });

  it('gives the spread over the samples', () => {
    expect(result.perSample.length).toEqual({
      mean: 3,
      min: 2,
      q25: 2,
      median: 3,
      q75: 4,
      max: 4,
    });
  });

  it('gives distinct n-grams, token entropy and the share ended with an EOS token', () => {
    expect(result.distinct1).toBeCloseTo(7 / 12);
    const counts = [2, 2, 2, 2, 1, 1, 2];
    const entropy = counts.reduce((sum, n) => sum - (n / 12) * Math.log(n / 12), 0);
    expect(result.tokenEntropy).toBeCloseTo(entropy);
    expect(result.stoppedByEos).toBe(0.25);
  });
});
