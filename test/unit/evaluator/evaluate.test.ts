import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import type { Document } from '../../../src/evaluator/documents.js';
import { contextOf, evaluateTask } from '../../../src/evaluator/evaluate.js';
import { subsetOf, taskOf } from '../../../src/evaluator/task.js';
import { define, ruleModel } from './fakes.js';

const logprobsBy = (table: Record<string, number>) =>
  ruleModel({
    loglikelihood: ({ continuation }) => ({
      logprob: defined(table[continuation], continuation),
      tokens: 1,
      greedy: false,
    }),
  });

const choiceTask = {
  task: 't',
  kind: 'multiple_choice',
  doc_to_text: 'Q: {{q}}',
  doc_to_choice: 'options',
  doc_to_target: 'gold',
  metrics: ['acc', 'acc_norm'],
};

describe('multiple_choice', () => {
  it('scores by the sum and by the sum over characters', async () => {
    const task = taskOf(define(choiceTask), [{ q: 'x', options: ['ab', 'long one'], gold: 1 }]);
    // −4 < −3 but −4 / 8 > −3 / 2.
    const model = logprobsBy({ ' ab': -3, ' long one': -4 });
    const [acc, norm] = await evaluateTask(task, model);
    expect(model.requests).toEqual([
      { context: 'Q: x', continuation: ' ab' },
      { context: 'Q: x', continuation: ' long one' },
    ]);
    expect(acc).toMatchObject({ metric: 'acc', score: 0, n: 1, stderr: undefined });
    expect(norm).toMatchObject({ metric: 'acc_norm', score: 1, higherIsBetter: true });
    expect(norm?.items).toEqual([
      {
        id: '0',
        value: 1,
        weight: 1,
        correct: true,
        answer: { logprobs: [-3, -4], characters: [2, 8], gold: 1 },
      },
    ]);
  });

  it('gives ties to the lowest index and counts code points', async () => {
    const documents = [
      { q: '', options: ['a', 'b'], gold: 0 },
      { q: '', options: ['a', 'b'], gold: 1 },
      { q: '', options: ['😀😀', 'b'], gold: 0 },
    ];
    const task = taskOf(define(choiceTask), documents);
    const model = logprobsBy({ ' a': -2, ' b': -2, ' 😀😀': -3 });
    const [acc, norm] = await evaluateTask(task, model);
    expect(acc?.items.map(({ correct }) => correct)).toEqual([true, false, false]);
    expect(norm?.items.map(({ correct }) => correct)).toEqual([true, false, true]);
  });

  it('reckons accuracy with its standard error', async () => {
    const documents = [0, 0, 0, 1].map((gold) => ({ q: '', options: ['a', 'b'], gold }));
    const [acc] = await evaluateTask(
      taskOf(define(choiceTask), documents),
      logprobsBy({ ' a': -1, ' b': -2 }),
    );
    expect(acc?.score).toBe(0.75);
    // Sample standard deviation of 1, 1, 1, 0 is 0.5; over √4.
    expect(acc?.stderr).toBeCloseTo(0.25, 12);
  });

  it('leaves out the leading space of a ready-made choice in the length', async () => {
    const definition = define({ ...choiceTask, target_delimiter: '' });
    const task = taskOf(definition, [{ q: '', options: [' a', ' bcd'], gold: 0 }]);
    const model = logprobsBy({ ' a': -1, ' bcd': -2 });
    const [, norm] = await evaluateTask(task, model);
    // −1 / 1 < −2 / 3: wrong. With the spaces counted, −1 / 2 = −2 / 4 would be a tie, and right.
    expect(norm?.score).toBe(0);
  });

  it('scores each choice after its own context', async () => {
    const definition = define({
      ...choiceTask,
      doc_to_text: '',
      per_choice_context: "{{['She ' + a, 'She ' + b]}}",
      doc_to_choice: '{{[rest, rest]}}',
      metrics: ['acc'],
    });
    const model = ruleModel({
      loglikelihood: ({ context }) => ({ logprob: -context.length, tokens: 1, greedy: true }),
    });
    const task = taskOf(definition, [{ a: 'xxx', b: 'y', rest: 'ran', gold: 1 }]);
    const [acc] = await evaluateTask(task, model);
    expect(model.requests).toEqual([
      { context: 'She xxx', continuation: ' ran' },
      { context: 'She y', continuation: ' ran' },
    ]);
    expect(acc?.score).toBe(1);
  });

  it('names the item that a template does not fit', async () => {
    const task = taskOf(define(choiceTask), [{ q: 'x', options: ['a'], gold: 0 }, { q: 'x' }]);
    await expect(evaluateTask(task, logprobsBy({}))).rejects.toMatchObject({
      code: 'TASK_TEMPLATE_FAILED',
      message: expect.stringContaining('Item 1') as string,
      place: { field: 'doc_to_choice' },
    });
  });
});

describe('prompts', () => {
  const fewshot = define({
    ...choiceTask,
    description: 'About {{q}}.\n\n',
    fewshot: 'examples.jsonl',
    num_fewshot: 2,
  });
  const examples: Document[] = [1, 2, 3].map((n) => ({
    q: `e${n}`,
    options: ['u', 'v'],
    gold: n % 2,
  }));

  it('puts solved examples before the question', () => {
    const document = { q: 'own', options: ['u', 'v'], gold: 0 };
    const task = taskOf(fewshot, [document], examples);
    expect(contextOf(task, document)).toBe('About own.\n\nQ: e1 v\n\nQ: e2 u\n\nQ: own');
  });

  it('never shows an item its own answer', () => {
    const document = { q: 'e1', options: ['u', 'v'], gold: 1 };
    const task = taskOf(fewshot, [document], examples);
    expect(contextOf(task, document)).toBe('About e1.\n\nQ: e2 u\n\nQ: e3 v\n\nQ: e1');
  });

  it('says when there are too few', () => {
    const task = taskOf(fewshot, [{ q: 'x' }], examples.slice(0, 1));
    expect(() => contextOf(task, { q: 'x' })).toThrow(/wants 2 few-shot examples/);
  });
});

describe('loglikelihood', () => {
  const documents = [
    { prompt: 'A', reply: 'b' },
    { prompt: 'C', reply: 'ddd' },
  ];
  const model = ruleModel({
    loglikelihood: ({ continuation }) => ({
      logprob: continuation === ' b' ? -1 : -5,
      tokens: continuation.length - 1,
      greedy: continuation === ' b',
    }),
  });
  const definition = define({
    task: 'l',
    kind: 'loglikelihood',
    doc_to_text: 'prompt',
    doc_to_target: 'reply',
    metrics: ['acc', 'perplexity', 'nll_per_token', 'token_perplexity'],
  });

  it('measures greedy accuracy, perplexity per item, and loss per token', async () => {
    const results = await evaluateTask(taskOf(definition, documents), model);
    const scores = Object.fromEntries(results.map(({ metric, score }) => [metric, score]));
    expect(scores['acc']).toBe(0.5);
    expect(scores['perplexity']).toBeCloseTo(Math.exp((1 + 5) / 2), 10);
    expect(scores['nll_per_token']).toBeCloseTo((1 + 5) / (1 + 3), 12);
    expect(scores['token_perplexity']).toBeCloseTo(Math.exp(6 / 4), 10);
    expect(results.map(({ higherIsBetter }) => higherIsBetter)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('carries the standard error through the exponential', async () => {
    const results = await evaluateTask(taskOf(definition, documents), model);
    const [, perplexity, nll] = results;
    // Losses 1 and 5: standard deviation √8, over √2, is 2; the slope of exp at 3 is e³.
    expect(perplexity?.stderr).toBeCloseTo(2 * Math.exp(3), 8);
    // Residuals 1 − 1.5·1 and 5 − 1.5·3; √(2/1 · (0.25 + 0.25)) / 4.
    expect(nll?.stderr).toBeCloseTo(1 / 4, 12);
  });
});

describe('loglikelihood_rolling', () => {
  it('measures perplexity per token, word and byte, and bits per byte', async () => {
    const definition = define({
      task: 'r',
      kind: 'loglikelihood_rolling',
      doc_to_target: 'text',
      metrics: [
        'nll_per_token',
        'token_perplexity',
        'word_perplexity',
        'byte_perplexity',
        'bits_per_byte',
      ],
    });
    const task = taskOf(definition, [{ text: 'one two' }, { text: 'é' }]);
    const model = ruleModel({ rolling: (text) => ({ logprob: -text.length, tokens: 2 }) });
    const results = await evaluateTask(task, model);
    const total = 7 + 1;
    const expected = [
      total / 4,
      Math.exp(total / 4),
      Math.exp(total / 3),
      Math.exp(total / 9),
      total / 9 / Math.LN2,
    ];
    expect(results.map(({ score }) => score)).toEqual(
      expected.map((e) => expect.closeTo(e, 9) as number),
    );
  });
});

it('refuses an empty text, which has no score', async () => {
  const fields = { task: 'r', kind: 'loglikelihood_rolling', doc_to_target: 'text' };
  const task = taskOf(define({ ...fields, metrics: ['nll_per_token'] }), [
    { text: 'a' },
    { text: ' ' },
  ]);
  const model = ruleModel({ rolling: () => ({ logprob: -1, tokens: 1 }) });
  await expect(evaluateTask(task, model)).rejects.toMatchObject({
    code: 'TASK_DATA_INVALID',
    message: expect.stringContaining('Item 1') as string,
  });
});

describe('generate_until', () => {
  it('gives one result per metric and filter', async () => {
    const definition = define({
      task: 'g',
      kind: 'generate_until',
      doc_to_text: 'q',
      doc_to_target: 'a',
      generation: { until: ['\n'], max_tokens: 7 },
      filters: [
        { name: 'first', steps: [{ function: 'regex', regex_pattern: '\\d+' }] },
        { name: 'last', steps: [{ function: 'regex', regex_pattern: '\\d+', group_select: -1 }] },
      ],
      metrics: ['exact_match'],
    });
    const model = ruleModel({ generate: () => '3 then 4' });
    const results = await evaluateTask(
      taskOf(definition, [
        { q: 'x', a: 4 },
        { q: 'y', a: '3' },
      ]),
      model,
    );
    expect(model.generations[0]).toEqual({ context: 'x', until: ['\n'], maxTokens: 7 });
    expect(
      results.map(({ filter, items }) => [filter, items.map(({ correct }) => correct)]),
    ).toEqual([
      ['first', [false, true]],
      ['last', [true, false]],
    ]);
  });
});

describe('subsetOf', () => {
  const documents = Array.from({ length: 100 }, (_, i) => ({
    q: String(i),
    options: ['a'],
    gold: 0,
  }));
  const task = taskOf(define(choiceTask), documents);
  const chosen = (seed: number): string[] => subsetOf(task, 10, seed).items.map(({ id }) => id);

  it('is the same for the same seed, in order, without repeats', () => {
    expect(chosen(1)).toEqual(chosen(1));
    expect(chosen(1)).not.toEqual(chosen(2));
    expect(new Set(chosen(1)).size).toBe(10);
    expect(chosen(1)).toEqual([...chosen(1)].sort((a, b) => Number(a) - Number(b)));
    expect(subsetOf(task, 10, 1).items.every(({ id, document }) => document['q'] === id)).toBe(
      true,
    );
  });

  it('keeps a smaller task whole', () => {
    expect(subsetOf(task, 100, 1)).toBe(task);
  });
});
