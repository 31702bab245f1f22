/** Items in words: what stood there, what was right, what each model answered. */
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import type { Document } from '../../../src/evaluator/documents.js';
import { evaluateTask } from '../../../src/evaluator/evaluate.js';
import { describeItems } from '../../../src/evaluator/items.js';
import type { ItemRecord } from '../../../src/protocol/records.js';
import type { LanguageModel } from '../../../src/evaluator/languageModel.js';
import { taskOf } from '../../../src/evaluator/task.js';
import { itemRecordSchema } from '../../../src/protocol/records.js';
import { define, ruleModel } from './fakes.js';

/** The items of a task's first metric, answered by two models. */
async function itemsOf(
  fields: Record<string, unknown>,
  documents: Document[],
  base: LanguageModel,
  final: LanguageModel,
): Promise<ItemRecord[]> {
  const task = taskOf(define({ task: 't', ...fields }), documents);
  const [before] = await evaluateTask(task, base);
  const [after] = await evaluateTask(task, final);
  const items = [...describeItems(task, defined(before, 'base'), defined(after, 'final'))];
  expect(items.map((item) => itemRecordSchema.parse(item))).toEqual(items);
  return items;
}

/** Prefers the continuation that ends so. */
const prefers = (ending: string): LanguageModel =>
  ruleModel({
    loglikelihood: ({ context, continuation }) => {
      const likes = (context + continuation).endsWith(ending);
      return { logprob: likes ? -1 : -9, tokens: 1, greedy: likes };
    },
  });

describe('describeItems', () => {
  it('names the choices that were taken', async () => {
    const fields = {
      kind: 'multiple_choice',
      doc_to_text: 'Q: {{q}}\nA:',
      doc_to_choice: 'options',
      doc_to_target: 'gold',
      metrics: ['acc'],
    };
    const documents = [{ q: '1+1', options: ['2', '3'], gold: 0 }];
    expect(await itemsOf(fields, documents, prefers('2'), prefers('3'))).toEqual([
      {
        task: 't',
        metric: 'acc',
        id: '0',
        prompt: 'Q: 1+1\nA:',
        expected: '2',
        base: { correct: true, answer: '2' },
        final: { correct: false, answer: '3' },
      },
    ]);
  });

  it('takes the choice by the metric, not by the plain sum', async () => {
    const fields = {
      kind: 'multiple_choice',
      doc_to_text: 'Q:',
      doc_to_choice: ['ab', 'long one'],
      doc_to_target: 1,
      metrics: ['acc_norm'],
    };
    // −4 < −3 but −4 / 8 > −3 / 2.
    const model = ruleModel({
      loglikelihood: ({ continuation }) => ({
        logprob: continuation === ' ab' ? -3 : -4,
        tokens: 1,
        greedy: false,
      }),
    });
    const [item] = await itemsOf(fields, [{}], model, model);
    expect(item).toMatchObject({ expected: 'long one', final: { correct: true } });
    expect(item?.final.answer).toBe('long one');
  });

  it('shows what contexts share, up to a whole word, where each choice has its own', async () => {
    const fields = {
      kind: 'multiple_choice',
      per_choice_context: "{{['It is the dog', 'It is the door']}}",
      doc_to_choice: ['that barks.', 'that barks.'],
      doc_to_target: 0,
      metrics: ['acc'],
    };
    const [item] = await itemsOf(
      fields,
      [{}],
      prefers('dog that barks.'),
      prefers('r that barks.'),
    );
    expect(item).toMatchObject({
      prompt: 'It is the ',
      expected: 'dog that barks.',
      base: { answer: 'dog that barks.' },
      final: { answer: 'door that barks.', correct: false },
    });
  });

  it('shows what was written', async () => {
    const fields = {
      kind: 'generate_until',
      doc_to_text: 'say {{word}}:',
      doc_to_target: '{{word}}',
      metrics: ['exact_match'],
    };
    const says = (text: string) => ruleModel({ generate: () => text });
    const [item] = await itemsOf(fields, [{ word: 'duck' }], says('duck'), says(' quack '));
    expect(item).toMatchObject({
      prompt: 'say duck:',
      expected: 'duck',
      base: { correct: true, answer: 'duck' },
      final: { correct: false, answer: 'quack' },
    });
  });

  it('claims no more than was measured where a text was scored', async () => {
    const fields = {
      kind: 'loglikelihood',
      doc_to_text: 'They climbed the',
      doc_to_target: 'tree',
      metrics: ['acc', 'perplexity'],
    };
    const scores = (logprob: number) =>
      ruleModel({ loglikelihood: () => ({ logprob, tokens: 1, greedy: logprob > -1 }) });
    const [item] = await itemsOf(fields, [{}], scores(-0.1), scores(Math.log(0.031)));
    expect(item?.base).toEqual({ correct: true, answer: 'tree' });
    expect(item?.final.answer).toBe('Not “tree”: the model gave it a probability of 3.1 %.');
    const [unlikely] = await itemsOf(fields, [{}], scores(-0.1), scores(-30));
    expect(unlikely?.final.answer).toContain('less than 0.01 %');
  });

  it('cuts a long prompt at its front, between characters', async () => {
    const fields = {
      kind: 'generate_until',
      doc_to_text: '{{text}}',
      doc_to_target: 'x',
      metrics: ['exact_match'],
    };
    const model = ruleModel({ generate: () => 'x' });
    const text = `begin ${'😀'.repeat(2000)}end`;
    const [item] = await itemsOf(fields, [{ text }], model, model);
    const prompt = Array.from(item?.prompt ?? '');
    expect(prompt).toHaveLength(2000);
    expect([prompt[0], prompt[1], prompt.slice(-3).join('')]).toEqual(['…', '😀', 'end']);
  });
});
