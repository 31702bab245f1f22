/** The files under media/demo are what the generator gives, and the evaluator can read them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { demoFiles, demoFolder, mistake } from '../../../scripts/demo/generate.js';
import { modelConfig } from '../../../scripts/demo/modelConfig.js';
import type { TaskRow } from '../../../scripts/demo/skills/skill.js';
import { evaluateTask } from '../../../src/evaluator/evaluate.js';
import type { LanguageModel } from '../../../src/evaluator/languageModel.js';
import { loadTask } from '../../../src/evaluator/task.js';
import { scanDataset } from '../../../src/mixer/dataset.js';

const files = demoFiles();
const read = (path: string): string => readFileSync(join(demoFolder, path), 'utf8');
const taskFiles = [...files.keys()].filter((path) => path.endsWith('.yaml'));
const tokenizer = new Tokenizer(
  JSON.parse(read('model/tokenizer.json')) as object,
  JSON.parse(read('model/tokenizer_config.json')) as object,
);

const choiceOf = ({ choices, answer }: TaskRow): string =>
  (choices as string[])[answer as number] ?? '';

/** Task → the text that a row stands for when it is answered right. */
const written: Record<string, (row: TaskRow) => string> = {
  arithmetic: (row) => `${row.problem as string}${choiceOf(row)}`,
  sorting: (row) => `${row.problem as string} ${row.answer as string}`,
  facts: (row) => `Q: ${row.question as string}\nA: ${choiceOf(row)}`,
  records: (row) => `${row.records as string}\n${row.question as string} ${choiceOf(row)}`,
  downstream: (row) => `${row.prompt as string}${row.completion as string}`,
};

describe('media/demo', () => {
  it.each([...files.keys()])('%s is what the generator writes', (path) => {
    expect(read(path) === files.get(path)).toBe(true);
  });

  it('stays small', () => {
    const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThan(1_500_000);
  });

  it('has a config that fits the tokenizer', () => {
    const { model } = JSON.parse(read('model/tokenizer.json')) as {
      model: { vocab: Record<string, number> };
    };
    expect(Object.keys(model.vocab)).toHaveLength(modelConfig.vocab_size);
    expect(model.vocab['<|begin|>']).toBe(modelConfig.bos_token_id);
    expect(model.vocab['<|end|>']).toBe(modelConfig.eos_token_id);
  });

  it.each(taskFiles)('%s is read by the evaluator with all its items', (path) => {
    const task = loadTask(join(demoFolder, path));
    expect(task.definition.task).toMatch(/^demo_/);
    expect(task.items.length).toBeGreaterThanOrEqual(100);
  });

  it('has no row or item longer than the model’s context', () => {
    const rows = [...files]
      .filter(([path]) => path.endsWith('.jsonl'))
      .flatMap(([, text]) => text.trimEnd().split('\n'));
    // The whole JSON line is longer than anything that is ever made of it.
    const longest = Math.max(...rows.map((row) => tokenizer.encode(row).ids.length));
    expect(longest).toBeLessThan(modelConfig.max_position_embeddings);
  });

  it('has one mistake in the dataset that is to be corrected, and none in the other', async () => {
    const check = async (path: string) => scanDataset([join(demoFolder, path)], {});
    const { problems, kept } = await check(mistake.file);
    expect(problems.map(({ severity, line }) => [severity, line])).toEqual([
      ['error', mistake.line],
    ]);
    expect(kept).toBe(mistake.rows - 1);
    expect((await check('dataset.jsonl')).problems).toEqual([]);
  });

  it.each(Object.keys(written))(
    '%s gives full marks to the right answers, none to others',
    async (name) => {
      const path = join(demoFolder, 'tasks', `${name}.yaml`);
      const task = loadTask(path);
      const texts = task.items.map(({ document }) => written[name]?.(document as TaskRow) ?? '');
      const scoreOf = async (model: LanguageModel): Promise<number[]> =>
        (await evaluateTask(task, model)).map(({ score }) => score);
      const full = name === 'downstream' ? [0, 1] : [1];
      const none = name === 'downstream' ? [1, 0] : [0];
      expect(await scoreOf(oracle(texts))).toEqual(full);
      expect(await scoreOf(contrarian(oracle(texts)))).toEqual(none);
    },
  );
});

/** Knows `texts` by heart: 0 nats for what continues one of them, one nat per token otherwise. */
function oracle(texts: readonly string[]): LanguageModel {
  const known = new Set(texts);
  return {
    loglikelihood: (requests) =>
      Promise.resolve(
        requests.map(({ context, continuation }) => {
          const greedy = known.has(context + continuation);
          return { logprob: greedy ? 0 : -1, tokens: 1, greedy };
        }),
      ),
    loglikelihoodRolling: () => Promise.reject(new Error('no task here is rolling')),
    generateUntil: (requests) =>
      Promise.resolve(
        requests.map(({ context }) => {
          const text = texts.find((candidate) => candidate.startsWith(context)) ?? context;
          return text.slice(context.length);
        }),
      ),
  };
}

/** Says the opposite of `model`. */
function contrarian(model: LanguageModel): LanguageModel {
  return {
    ...model,
    loglikelihood: async (requests) =>
      (await model.loglikelihood(requests)).map(({ logprob, tokens, greedy }) => ({
        logprob: -1 - logprob,
        tokens,
        greedy: !greedy,
      })),
    generateUntil: async (requests) =>
      (await model.generateUntil(requests)).map((text) => [...text].reverse().join('')),
  };
}
