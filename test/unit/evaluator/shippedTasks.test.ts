/** The task files that come with the extension, against `notes/evaluation-tasks.md`. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defined } from '../../../src/errors.js';
import { readDocuments } from '../../../src/evaluator/documents.js';
import type { Document } from '../../../src/evaluator/documents.js';
import { contextOf, evaluateTask } from '../../../src/evaluator/evaluate.js';
import type { ItemResult } from '../../../src/evaluator/results.js';
import { loadTask, parseDefinition, readDefinition, taskOf } from '../../../src/evaluator/task.js';
import type { Task } from '../../../src/evaluator/task.js';
import { ruleModel } from './fakes.js';

const root = join(import.meta.dirname, '../../..');
const tasks = join(root, 'media/tasks');
const datasets = join(root, '../shared/data/datasets');
const file = (name: string): string => join(tasks, `${name}.yaml`);

/** What a task asks about its first `count` items, and which choice it holds to be right. */
async function ask(task: Task, count = 1) {
  const model = ruleModel({
    loglikelihood: () => ({ logprob: -1, tokens: 1, greedy: false }),
    rolling: () => ({ logprob: -1, tokens: 1 }),
    generate: () => '',
  });
  const [result] = await evaluateTask({ ...task, items: task.items.slice(0, count) }, model);
  return { ...model, items: defined(result, 'result').items };
}

const goldOf = ({ answer }: ItemResult): number =>
  z.object({ gold: z.number() }).parse(answer).gold;

async function askOne(name: string, document: Document) {
  const { requests, items } = await ask(taskOf(readDefinition(file(name)), [document]));
  return {
    contexts: [...new Set(requests.map(({ context }) => context))],
    continuations: requests.map(({ continuation }) => continuation),
    gold: goldOf(defined(items[0], 'item')),
  };
}

describe('every shipped task file', () => {
  const names = readdirSync(tasks).filter((name) => name.endsWith('.yaml'));

  it.each(names)('%s is valid', (name) => {
    expect(() => readDefinition(join(tasks, name))).not.toThrow();
  });

  it('is as valid as the examples in docs/evaluation.md', () => {
    const page = readFileSync(join(root, 'docs/evaluation.md'), 'utf8');
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? '');
    expect(examples.length).toBeGreaterThan(2);
    for (const text of examples) {
      expect(() => parseDefinition(text, 'docs/evaluation.md')).not.toThrow();
    }
  });

  it('are all the tasks of the note', () => {
    const noted = [
      ...['hellaswag', 'arc_easy', 'arc_challenge', 'piqa', 'winogrande', 'openbookqa', 'boolq'],
      ...['social_iqa', 'sciq', 'mmlu', 'commonsense_qa', 'medqa_4options', 'blimp', 'lambada'],
      ...['gsm8k', 'perplexity'],
    ];
    expect(names).toEqual(expect.arrayContaining(noted.map((name) => `${name}.yaml`)));
  });
});

describe("the note's prompts", () => {
  it('hellaswag cleans brackets, titles and double spaces', async () => {
    const asked = await askOne('hellaswag', {
      activity_label: 'Baking',
      ctx_a: ' [header] How to bake [title] Mix  it.',
      ctx_b: 'the Cook',
      endings: [' stirs. [substeps] Then rests.', 'sleeps.'],
      label: '1',
    });
    // Three spaces are left where "[header]" was; one pass makes two of them, as in the harness.
    expect(asked.contexts).toEqual(['Baking:  How to bake. Mix it. The cook']);
    expect(asked.continuations).toEqual([' stirs. Then rests.', ' sleeps.']);
    expect(asked.gold).toBe(1);
  });

  const labelled = { text: ['u', 'v', 'w', 'x', 'y'], label: ['A', 'B', 'C', 'D', 'E'] };
  const options = 'A. u\nB. v\nC. w\nD. x';
  const cases: [string, Document, string, string[], number][] = [
    [
      'arc_easy',
      { question: 'Q?', choices: labelled, answerKey: 'C' },
      'Question: Q?\nAnswer:',
      labelled.text,
      2,
    ],
    [
      'arc_challenge',
      { question: 'Q?', choices: { text: ['u', 'v'], label: ['1', '2'] }, answerKey: '2' },
      'Question: Q?\nAnswer:',
      ['u', 'v'],
      1,
    ],
    [
      'piqa',
      { goal: 'G', sol1: 'u', sol2: 'v ', label: 1 },
      'Question: G\nAnswer:',
      ['u', 'v '],
      1,
    ],
    [
      'openbookqa',
      { question_stem: 'Birds are', choices: labelled, answerKey: ' B' },
      'Birds are',
      labelled.text,
      1,
    ],
    [
      'boolq',
      { passage: 'P.', question: 'is it', label: 0 },
      'P.\nQuestion: is it?\nAnswer:',
      ['no', 'yes'],
      0,
    ],
    [
      'social_iqa',
      { context: 'C.', question: 'Q?', answerA: 'u', answerB: 'v', answerC: 'w', label: '3' },
      'Q: C. Q?\nA:',
      ['u', 'v', 'w'],
      2,
    ],
    [
      'sciq',
      {
        support: ' S.',
        question: 'Q?',
        distractor1: 'u',
        distractor2: 'v',
        distractor3: 'w',
        correct_answer: 'x',
      },
      'S.\nQuestion: Q?\nAnswer:',
      ['u', 'v', 'w', 'x'],
      3,
    ],
    [
      'mmlu',
      { question: ' Q?', choices: ['u', 'v', 'w', 'x'], answer: 3 },
      `Q?\n${options}\nAnswer:`,
      ['A', 'B', 'C', 'D'],
      3,
    ],
    [
      'commonsense_qa',
      { question: 'Q? ', choices: labelled, answerKey: 'E' },
      `Question: Q?\n${options}\nE. y\nAnswer:`,
      labelled.label,
      4,
    ],
    [
      'medqa_4options',
      { sent1: 'Q?', ending0: 'u', ending1: 'v', ending2: 'w', ending3: 'x', label: 0 },
      `Question: Q?\n${options}\nAnswer:`,
      ['A', 'B', 'C', 'D'],
      0,
    ],
  ];
  it.each(cases)('%s', async (name, document, context, choices, gold) => {
    expect(await askOne(name, document)).toEqual({
      contexts: [context],
      continuations: choices.map((choice) => ` ${choice}`),
      gold,
    });
  });

  it('winogrande scores the end of the sentence behind both beginnings', async () => {
    const asked = await askOne('winogrande', {
      sentence: 'Ann met Eve, so _ smiled.',
      option1: 'Ann',
      option2: 'Eve',
      answer: '2',
    });
    expect(asked).toEqual({
      contexts: ['Ann met Eve, so Ann', 'Ann met Eve, so Eve'],
      continuations: [' smiled.', ' smiled.'],
      gold: 1,
    });
  });

  it('gsm8k shows five solved examples', async () => {
    const examples = [1, 2, 3, 4, 5, 6].map((n) => ({ question: `q${n}`, answer: `#### ${n}` }));
    const task = taskOf(
      readDefinition(file('gsm8k')),
      [{ question: 'q', answer: '#### 7' }],
      examples,
    );
    const shown = [1, 2, 3, 4, 5].map((n) => `Question: q${n}\nAnswer: #### ${n}\n\n`);
    const { generations } = await ask(task);
    expect(generations[0]).toMatchObject({
      context: `${shown.join('')}Question: q\nAnswer:`,
      until: ['Question:', '</s>', '<|im_end|>'],
    });
  });
});

describe.skipIf(!existsSync(datasets))('on the shared datasets', () => {
  const ready = (name: string): Document[] =>
    readDocuments(join(datasets, 'multiple_choice', `${name}.jsonl`));
  const choicesSchema = z.object({
    context: z.string(),
    choices: z.array(z.string()),
    gold: z.number(),
  });

  it.each(['arc_easy.val', 'arc_challenge.val', 'openbookqa.val', 'csqa.val', 'sciq.val_0shot'])(
    'ready_made reads %s',
    async (name) => {
      const data = join(datasets, 'multiple_choice', `${name}.jsonl`);
      const task = loadTask(file('ready_made'), { task: name, data });
      const { requests, items } = await ask(task, 20);
      const expected = ready(name)
        .slice(0, 20)
        .map((d) => choicesSchema.parse(d));
      expect(requests).toEqual(
        expected.flatMap(({ context, choices }) =>
          choices.map((continuation) => ({ context, continuation })),
        ),
      );
      expect(items.map(goldOf)).toEqual(expected.map(({ gold }) => gold));
    },
  );

  it.each(['arc_easy', 'arc_challenge'])(
    '%s makes the ready-made prompt of the same question',
    async (name) => {
      for (const made of ready(`${name}.val`).slice(0, 20)) {
        const { context, choices, gold } = choicesSchema.parse(made);
        const label = choices.map((_, i) => String.fromCharCode(65 + i));
        const asked = await askOne(name, {
          question: /^Question: (.*)\nAnswer:$/s.exec(context)?.[1],
          choices: { text: choices.map((choice) => choice.slice(1)), label },
          answerKey: label[gold],
        });
        expect(asked).toEqual({ contexts: [context], continuations: choices, gold });
      }
    },
  );

  it('piqa gives the ready-made choices and answers from the original files', async () => {
    const task = loadTask(file('piqa'), { data: join(datasets, 'piqa/valid.jsonl') });
    const { requests, items } = await ask(task, 50);
    const expected = ready('piqa.val')
      .slice(0, 50)
      .map((d) => choicesSchema.parse(d));
    expect(requests).toEqual(
      expected.flatMap(({ context, choices }) =>
        choices.map((continuation) => ({
          // The ready-made file says "Goal:", the note "Question:".
          context: context.replace(/^Goal: /, 'Question: '),
          continuation,
        })),
      ),
    );
    expect(items.map(goldOf)).toEqual(expected.map(({ gold }) => gold));
  });

  it('winogrande fills the blank and knows the answer', async () => {
    const wrapped = ready('winogrande.val').slice(0, 30);
    const documents = wrapped.map(({ doc }) =>
      z.record(z.string(), z.string().or(z.number())).parse(doc),
    );
    const { requests, items } = await ask(
      taskOf(readDefinition(file('winogrande')), documents),
      30,
    );
    expect(items.map(goldOf)).toEqual(wrapped.map(({ gold }) => gold));
    const sentences = requests.map(({ context, continuation }) => context + continuation);
    const filled = documents.flatMap(({ sentence, option1, option2 }) =>
      [option1, option2].map((option) =>
        String(sentence).replace('_', String(option)).replace(/ +$/, ''),
      ),
    );
    expect(sentences.map((s) => s.replaceAll(' ', ''))).toEqual(
      filled.map((s) => s.replaceAll(' ', '')),
    );
  });

  it('lambada splits off the last word', async () => {
    const data = join(datasets, 'lambada/lambada_test.jsonl');
    const { requests } = await ask(loadTask(file('lambada'), { data }), 50);
    const texts = readDocuments(data)
      .slice(0, 50)
      .map(({ text }) => text);
    expect(requests.map(({ context, continuation }) => context + continuation)).toEqual(texts);
    expect(requests.every(({ continuation }) => /^ \S+$/.test(continuation))).toBe(true);
  });

  it('blimp compares sentences without a context', async () => {
    const data = join(datasets, 'blimp/data/passive_1.jsonl');
    const task = loadTask(file('blimp'), { task: 'blimp_passive_1', data });
    const [first] = readDocuments(data);
    const { requests, items } = await ask(task);
    expect(task.items.length).toBe(1000);
    expect(requests).toEqual([
      { context: '', continuation: ` ${String(first?.['sentence_good'])}` },
      { context: '', continuation: ` ${String(first?.['sentence_bad'])}` },
    ]);
    expect(items.map(goldOf)).toEqual([0]);
  });

  it('tinystories takes the file apart into stories', () => {
    const data = join(datasets, 'tinystories/tinystories_val.txt');
    const { items } = loadTask(file('tinystories'), { data });
    const stories = items.map(({ document }) => String(document['text']));
    expect(stories.length).toBeGreaterThan(500);
    expect(stories.slice(1).every((story) => story.startsWith('Once upon a time'))).toBe(true);
  });

  it('gsm8k draws its examples from the training file', () => {
    const task = loadTask(file('gsm8k'), {
      data: join(datasets, 'gsm8k/test.jsonl'),
      fewshot: join(datasets, 'gsm8k/train.jsonl'),
    });
    const context = contextOf(task, defined(task.items[0], 'item').document);
    expect(context.match(/Question: /g)).toHaveLength(6);
    expect(context.match(/#### /g)).toHaveLength(5);
  });
});
