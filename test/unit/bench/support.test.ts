/** What the benchmarks compute with and how they start our side, on a tiny model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeRandomModel, type LlamaShape } from '../../../bench/shapes.js';
import { alternate } from '../../../bench/support/alternate.js';
import { startOurs } from '../../../bench/support/ours.js';
import { rateOf, relativeError, spreadOf } from '../../../bench/support/statistics.js';

const folder = mkdtempSync(join(tmpdir(), 'cfs-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('statistics', () => {
  it('takes the middle, and the mean of the middle two', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
    expect(spreadOf([4, 1, 2, 3]).median).toBe(2.5);
    expect(spreadOf([7])).toEqual({ median: 7, low: 7, high: 7 });
  });

  it('gives speeds with the fastest as the highest', () => {
    expect(rateOf(100, [2, 4])).toEqual({ median: 37.5, low: 25, high: 50 });
  });

  it('never lets NaN pass as agreement', () => {
    expect(relativeError(1.5, 1)).toBe(0.5);
    expect(relativeError(NaN, 1)).toBe(Infinity);
    expect(relativeError(1, NaN)).toBe(Infinity);
  });
});

describe('taking turns', () => {
  it('turns the order around every round', async () => {
    const order: string[] = [];
    const measure = (name: string) => (round: number) => {
      order.push(`${name}${round}`);
      return Promise.resolve();
    };
    await alternate(3, [measure('a'), measure('b')]);
    expect(order).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
  });
});

describe('our side in a process of its own', () => {
  const shape: LlamaShape = {
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 40,
    tie_word_embeddings: true,
  };

  it('trains and samples, and answers what it cannot do with the reason', async () => {
    writeRandomModel(folder, shape, 1);
    const ours = await startOurs();
    try {
      const rows = [{ ids: [1, 5, 6, 7, 8, 9, 10, 11], supervised: [0, 1, 1, 1, 1, 1, 1, 1] }];
      await expect(ours.request('step', { rows, learningRate: 0.01 })).rejects.toThrow('trainer');
      await ours.request('trainer', {
        folder,
        threads: 1,
        time: 8,
        maxTokens: 8,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
        decayVectors: false,
        clip: 1,
      });
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) {
        const step = await ours.request('step', { rows, learningRate: 0.01 });
        expect(step.optimizer).toBeLessThan(step.seconds);
        losses.push(step.loss);
      }
      // Random weights know nothing; five steps on one row teach it some of it.
      expect(losses[0]).toBeCloseTo(Math.log(shape.vocab_size), 1);
      expect(losses[4]).toBeLessThan(Math.log(shape.vocab_size) - 0.1);

      const decoder = { folder, threads: 1, bos: 1, batch: 3, tokens: 20 };
      await ours.request('decoder', { ...decoder, sampling: 'whole' });
      const { tokens } = await ours.request('generate', { seed: 1 });
      expect(tokens.map((row) => row.length)).toEqual([20, 20, 20]);
      expect(new Set(tokens.map((row) => row.join())).size).toBe(3);

      const { peakBytes, baselineBytes } = await ours.request('memory', {});
      expect(peakBytes).toBeGreaterThan(baselineBytes);
    } finally {
      await ours.stop();
    }
  });
});
