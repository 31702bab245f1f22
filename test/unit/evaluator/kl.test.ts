import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { estimateKl } from '../../../src/evaluator/kl.js';
import type { SampleLogprobs } from '../../../src/evaluator/kl.js';
import { createRandom } from '../../../src/random.js';
import type { Random } from '../../../src/random.js';

/** First-order chains over three symbols; symbol 0 begins and ends a sequence. */
const base = [
  [0, 0.7, 0.3],
  [0.3, 0.5, 0.2],
  [0.25, 0.35, 0.4],
];
const current = [
  [0, 0.4, 0.6],
  [0.2, 0.4, 0.4],
  [0.4, 0.3, 0.3],
];
const maxTokens = 6;

const p = (chain: number[][], from: number, to: number): number =>
  defined(defined(chain[from], 'row')[to], 'probability');

/** Exact KL and mean length by enumerating every sequence of at most `maxTokens` tokens. */
function enumerate(): { kl: number; tokens: number } {
  const visit = (last: number, length: number, q: number, ratio: number): [number, number] =>
    [0, 1, 2]
      .filter((next) => p(base, last, next) > 0)
      .map((next): [number, number] => {
        const prob = q * p(base, last, next);
        const sum = ratio + Math.log(p(base, last, next) / p(current, last, next));
        const ended = next === 0 || length + 1 === maxTokens;
        return ended ? [prob * sum, prob * (length + 1)] : visit(next, length + 1, prob, sum);
      })
      .reduce(([a, b], [c, d]) => [a + c, b + d]);
  const [kl, tokens] = visit(0, 0, 1, 0);
  return { kl, tokens };
}

function sample(random: Random): SampleLogprobs {
  const drawn = { base: 0, current: 0, tokens: 0 };
  let last = 0;
  do {
    let u = random.uniform();
    let next = 0;
    while (u >= p(base, last, next) && next < 2) u -= p(base, last, next++);
    drawn.base += Math.log(p(base, last, next));
    drawn.current += Math.log(p(current, last, next));
    drawn.tokens++;
    last = next;
  } while (last !== 0 && drawn.tokens < maxTokens);
  return drawn;
}

describe('estimateKl', () => {
  const random = createRandom(2);
  const runs = 600;
  const estimates = Array.from({ length: runs }, () =>
    estimateKl(Array.from({ length: 40 }, () => sample(random))),
  );
  const meanOf = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const spreadOf = (values: number[]): number => {
    const mean = meanOf(values);
    return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
  };

  it('is unbiased per sequence', () => {
    const values = estimates.map(({ perSequence }) => perSequence);
    const error = spreadOf(values) / Math.sqrt(runs);
    expect(Math.abs(meanOf(values) - enumerate().kl)).toBeLessThan(3 * error);
    // The check has teeth: three errors are a small part of the KL.
    expect(3 * error).toBeLessThan(0.1 * enumerate().kl);
  });

  it('states its own standard error rightly', () => {
    const spread = spreadOf(estimates.map(({ perSequence }) => perSequence));
    const claimed = meanOf(estimates.map((e) => defined(e.perSequenceStderr, 'stderr')));
    expect(claimed / spread).toBeGreaterThan(0.9);
    expect(claimed / spread).toBeLessThan(1.1);
  });

  it('goes to KL over mean length per token', () => {
    const many = estimateKl(Array.from({ length: 20_000 }, () => sample(random)));
    const { kl, tokens } = enumerate();
    const error = defined(many.perTokenStderr, 'stderr');
    expect(Math.abs(many.perToken - kl / tokens)).toBeLessThan(3 * error);
    expect(3 * error).toBeLessThan(0.1 * (kl / tokens));
  });

  it('is exactly zero for the same model', () => {
    const same = Array.from({ length: 5 }, () => sample(random)).map((s) => ({
      ...s,
      current: s.base,
    }));
    expect(estimateKl(same)).toEqual({
      samples: 5,
      perSequence: 0,
      perSequenceStderr: 0,
      perToken: 0,
      perTokenStderr: 0,
    });
  });
});
