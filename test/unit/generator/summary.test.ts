/** What the inspector lists of a sample, computed by hand. */
import { describe, expect, it } from 'vitest';
import { sampleSummarySchema } from '../../../src/protocol/inspector.js';
import { summarizeSample } from '../../../src/generator/summary.js';

describe('summarizeSample', () => {
  const record = {
    index: 7,
    bosId: 1,
    tokens: [5, 6, 5, 6, 5, 6, 2],
    text: 'ababab',
    pieces: ['a', 'b', 'a', 'b', 'a', 'b', ''],
    logprobs: [-1, -2, -1, -2, -1, -2, -5],
    entropy: null,
    stop: 'eos' as const,
  };

  it('counts the EOS token, and the 4-grams that came before', () => {
    // 4-grams: abab, baba, abab (again), bab<end>.
    const summary = { index: 7, text: 'ababab', length: 7, meanLogprob: -2, repetition: 0.25 };
    expect(summarizeSample(record)).toEqual({ ...summary, stop: 'eos' });
    expect(sampleSummarySchema.parse(summarizeSample(record))).toEqual(summarizeSample(record));
  });

  it('finds no repetition in a sample too short for it', () => {
    const short = { ...record, tokens: [3], pieces: ['x'], logprobs: [-0.5] };
    expect(summarizeSample(short)).toMatchObject({ length: 1, meanLogprob: -0.5, repetition: 0 });
  });
});
