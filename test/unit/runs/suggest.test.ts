/** Suggested settings follow the size of the model and of the dataset. */
import { describe, expect, it } from 'vitest';
import { suggestLearningRate, suggestSettings } from '../../../src/runs/suggest.js';

describe('suggestLearningRate', () => {
  it.each([
    [8e9, 5e-6],
    [1e9, 5e-6],
    // 5e-6 · 10^0.75 = 2.8e-5, 5e-6 · 66.7^0.75 = 1.17e-4, 5e-6 · 1152^0.75 = 9.9e-4
    [1e8, 3e-5],
    [1.5e7, 1e-4],
    [868_096, 1e-3],
    [1000, 1e-3],
  ])('for %d parameters is %d', (parameters, learningRate) => {
    expect(suggestLearningRate(parameters)).toBe(learningRate);
  });

  it('never falls when the model shrinks', () => {
    const rates = [1e10, 1e9, 5e8, 1e8, 1e7, 1e6, 1e5].map(suggestLearningRate);
    expect(rates).toEqual(rates.toSorted((a, b) => a - b));
  });
});

describe('suggestSettings', () => {
  it('stays inside the context of a small model', () => {
    const settings = suggestSettings({ parameters: 1e6, contextLength: 128 }, { kept: 2000 });
    expect(settings.training.maxLength).toBe(128);
    expect(settings.generation.maxLength).toBe(127);
  });

  it('keeps the defaults of a large model and dataset', () => {
    const settings = suggestSettings({ parameters: 2e9, contextLength: 4096 }, { kept: 20_000 });
    expect(settings).toEqual({
      training: { learningRate: 5e-6, epochs: 1, maxLength: 512 },
      generation: { maxLength: 256 },
      evaluation: { every: 100 },
    });
  });

  it('passes three times over few rows and evaluates about ten times', () => {
    // 600 rows and 60 samples in batches of 16: 42 steps a pass, 126 in all.
    const settings = suggestSettings({ parameters: 2e9, contextLength: 4096 }, { kept: 600 });
    expect(settings.training.epochs).toBe(3);
    expect(settings.evaluation.every).toBe(10);
  });

  it('gives usable settings for an empty dataset', () => {
    const settings = suggestSettings({ parameters: 1e6, contextLength: 256 }, { kept: 0 });
    expect(settings.evaluation.every).toBe(1);
  });
});
