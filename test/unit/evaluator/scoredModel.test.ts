import { describe, expect, it } from 'vitest';
import { scoredModel } from '../../../src/evaluator/scoredModel.js';
import type { ScoredModelOptions } from '../../../src/evaluator/scoredModel.js';
import { bigramFunctions, pieceTokenizer } from './fakes.js';

// Ids: 0 BOS/EOS, 1 'a', 2 'b', 3 ' '.
const tokenizer = pieceTokenizer(['<s>', 'a', 'b', ' ']);
const table = [
  [0, 0.5, 0.25, 0.25],
  [0.1, 0.1, 0.6, 0.2],
  [0.2, 0.3, 0.1, 0.4],
  [0.7, 0.1, 0.1, 0.1],
];

function model(options: Partial<ScoredModelOptions> = {}) {
  const functions = bigramFunctions(table);
  const language = scoredModel({
    tokenizer,
    prefixId: 0,
    addBos: false,
    maxLength: 8,
    stopIds: [0],
    ...functions,
    ...options,
  });
  return { language, asked: functions.asked };
}

describe('loglikelihood', () => {
  it('sums the log-probabilities of the continuation', async () => {
    const [answer] = await model().language.loglikelihood([{ context: 'a', continuation: 'ba' }]);
    expect(answer?.logprob).toBeCloseTo(Math.log(0.6) + Math.log(0.3), 6);
    expect(answer?.tokens).toBe(2);
    expect(answer?.greedy).toBe(false);
  });

  it('is greedy only when every token is the argmax', async () => {
    const answers = await model().language.loglikelihood([
      { context: 'a', continuation: 'b ' },
      { context: '', continuation: 'ab' },
      { context: 'b', continuation: 'a' },
    ]);
    expect(answers.map(({ greedy }) => greedy)).toEqual([true, true, false]);
    expect(answers[1]?.logprob).toBeCloseTo(Math.log(0.5) + Math.log(0.6), 6);
  });

  it('asks for the longest rows first and answers in order', async () => {
    const { language, asked } = model();
    const continuations = ['a', 'abab', 'ab'];
    const answers = await language.loglikelihood(
      continuations.map((continuation) => ({ context: '', continuation })),
    );
    expect(asked.map(({ ids }) => ids.length)).toEqual([5, 3, 2]);
    expect(answers.map(({ tokens }) => tokens)).toEqual([1, 4, 2]);
    expect(answers[0]?.logprob).toBeCloseTo(Math.log(0.5), 6);
  });

  it('refuses a continuation without tokens', async () => {
    await expect(
      model().language.loglikelihood([{ context: 'a', continuation: '' }]),
    ).rejects.toMatchObject({ code: 'CONTINUATION_EMPTY' });
  });
});

describe('loglikelihoodRolling', () => {
  it('is the same in windows as in one piece for a model that looks one token back', async () => {
    const text = 'abab abab ab';
    const [whole] = await model({ maxLength: 100 }).language.loglikelihoodRolling([text]);
    const { language, asked } = model({ maxLength: 5 });
    const [, windows] = await language.loglikelihoodRolling(['a', text]);
    expect(asked.length).toBe(1 + 3);
    expect(windows?.tokens).toBe(12);
    expect(windows?.logprob).toBeCloseTo(whole?.logprob ?? NaN, 5);
  });

  it('begins with the prefix token', async () => {
    const [answer] = await model().language.loglikelihoodRolling(['a']);
    expect(answer).toEqual({ logprob: Math.fround(Math.log(0.5)), tokens: 1 });
  });
});

describe('generateUntil', () => {
  it('follows the argmax to the EOS token', async () => {
    expect(
      await model().language.generateUntil([{ context: 'a', until: [], maxTokens: 5 }]),
    ).toEqual(['b ']);
  });

  it('stops before a stop string, and keeps settings apart', async () => {
    const texts = await model().language.generateUntil([
      { context: 'a', until: [' '], maxTokens: 5 },
      { context: 'a', until: ['b '], maxTokens: 5 },
      { context: 'a', until: [], maxTokens: 1 },
    ]);
    expect(texts).toEqual(['b', '', 'b']);
  });

  it('cuts long prompts from the left to leave room for the answer', async () => {
    const prompts: number[][] = [];
    const { language } = model({
      maxLength: 4,
      addBos: true,
      generateGreedy: (asked) => {
        prompts.push(...asked);
        return Promise.resolve(asked.map(() => []));
      },
    });
    await language.generateUntil([
      { context: 'abab', until: [], maxTokens: 2 },
      { context: 'a', until: [], maxTokens: 2 },
    ]);
    expect(prompts).toEqual([
      [1, 2],
      [0, 1],
    ]);
  });

  it('refuses to write more than the context holds', async () => {
    await expect(
      model().language.generateUntil([{ context: 'a', until: [], maxTokens: 8 }]),
    ).rejects.toMatchObject({ code: 'GENERATION_TOO_LONG' });
  });
});
