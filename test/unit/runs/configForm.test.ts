import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fieldHintsSchema } from '../../../src/protocol/form.js';
import { checkConfigData, configFormSchema } from '../../../src/runs/configForm.js';

interface Node extends Record<string, unknown> {
  properties?: Record<string, Node>;
  items?: Node;
}

const paths = { model: '/m', dataset: [{ path: '/d.jsonl' }] };

function problemsOf(values: Record<string, unknown>): Record<string, string> {
  const check = checkConfigData(values);
  if ('config' in check) return {};
  return Object.fromEntries(check.problems.map(({ field, message }) => [field, message]));
}

describe('configFormSchema', () => {
  const root = configFormSchema() as Node;

  it('survives the way through a message', () => {
    expect(JSON.parse(JSON.stringify(root))).toEqual(root);
  });

  it('carries defaults, help and hints of each field', () => {
    const { model, dataset, method, training } = root.properties ?? {};
    expect(model).toMatchObject({ pick: 'folder', basic: true });
    expect(dataset).toMatchObject({ type: 'array', pick: 'files' });
    expect(dataset?.items?.properties?.path).toMatchObject({ pick: 'file' });
    expect(method).toMatchObject({ choices: { cfs: { label: 'CFS' } } });
    expect(training?.properties?.epochs).toMatchObject({
      default: 1,
      description: 'Passes over the dataset.',
    });
  });

  it('names every value of a choice in words, and only methods that exist', () => {
    const methods = z.array(z.string()).parse(root.properties?.method?.enum);
    const visit = (node: Node): void => {
      const { choices, methods: users } = fieldHintsSchema.parse(node);
      if (choices) expect(Object.keys(choices)).toEqual(node.enum);
      if (users) expect(methods).toEqual(expect.arrayContaining(users));
      Object.values(node.properties ?? {}).forEach(visit);
      if (node.items) visit(node.items);
    };
    visit(root);
  });
});

describe('checkConfigData', () => {
  it('fills in the defaults and leaves paths alone', () => {
    const check = checkConfigData(paths);
    expect(check).toMatchObject({ config: { ...paths, method: 'cfs', training: { epochs: 1 } } });
  });

  it('tells every problem at its field, in plain words', () => {
    const values = {
      dataset: [{ path: '' }, {}],
      method: 'lora',
      name: 3,
      generation: { bos: {}, topP: 2 },
      training: { epochs: 0, batchRows: 1.5, learnRate: 1 },
      evaluation: { full: 'yes', tasks: 'a.yaml', subset: 0 },
    };
    expect(problemsOf(values)).toEqual({
      name: 'Must be text.',
      model: 'Not chosen yet.',
      'dataset[0].path': 'Must not be empty.',
      'dataset[1].path': 'Not chosen yet.',
      method: 'Must be one of `sft`, `cfs`.',
      'generation.bos': 'Must be text or a whole number.',
      'generation.topP': 'Must be at most 1.',
      'training.epochs': 'Must be above 0.',
      'training.batchRows': 'Must be a whole number.',
      'training.learnRate': 'Unknown field `learnRate`; did you mean `learningRate`?',
      'evaluation.full': 'Must be true or false.',
      'evaluation.tasks': 'Must be a list.',
      'evaluation.subset': 'Must be at least 1.',
    });
  });

  it('leaves at their defaults the fields that the method does not use', () => {
    const hidden = { mix: { lambda: 3 }, generation: { budget: -1, temperature: 0.5 } };
    const check = checkConfigData({ ...paths, ...hidden, method: 'sft' });
    expect(check).toMatchObject({
      config: { mix: { lambda: 1 }, generation: { budget: 0.1, temperature: 0.5 } },
    });
    expect(problemsOf({ ...paths, ...hidden })).toHaveProperty(['generation.budget']);
    expect(problemsOf({ ...paths, ...hidden, method: 'lora' })).toHaveProperty([
      'generation.budget',
    ]);
  });

  it('tells what fields must be together', () => {
    expect(problemsOf({ ...paths, evaluation: { bestBy: 'tasks' } })).toEqual({
      'evaluation.bestBy': '`tasks` needs a task.',
    });
  });
});
