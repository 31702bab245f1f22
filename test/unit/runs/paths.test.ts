/** Whatever field of `run.yaml` holds a path is found by the schema's own word for it. */
import { describe, expect, it } from 'vitest';
import { mapPaths, pathsIn } from '../../../src/runs/paths.js';

const values = {
  name: 'a name',
  model: 'model',
  dataset: [{ path: 'rows.jsonl', list: 'train', template: { prompt: '{{ a }}' } }, { path: 'b' }],
  generation: { bos: '<s>', count: 3 },
  evaluation: { tasks: ['one.yaml', 'two.yaml'], downstream: [{ path: 'test.csv' }], bestBy: 'kl' },
};

describe('paths in run.yaml', () => {
  it('are found with the fields they are picked for', () => {
    expect(pathsIn(values)).toEqual([
      { field: 'model', path: 'model' },
      { field: 'dataset', path: 'rows.jsonl' },
      { field: 'dataset', path: 'b' },
      { field: 'evaluation.tasks', path: 'one.yaml' },
      { field: 'evaluation.tasks', path: 'two.yaml' },
      { field: 'evaluation.downstream', path: 'test.csv' },
    ]);
  });

  it('are changed, and nothing else is', () => {
    const moved = mapPaths(values, (path) => `/at/${path}`);
    expect(moved).toEqual({
      ...values,
      model: '/at/model',
      dataset: [{ ...values.dataset[0], path: '/at/rows.jsonl' }, { path: '/at/b' }],
      evaluation: {
        ...values.evaluation,
        tasks: ['/at/one.yaml', '/at/two.yaml'],
        downstream: [{ path: '/at/test.csv' }],
      },
    });
  });

  it('may be short for a list of sources, and fields may be missing', () => {
    expect(pathsIn({ dataset: 'rows.jsonl' })).toEqual([{ field: 'dataset', path: 'rows.jsonl' }]);
    expect(pathsIn({ dataset: { path: 'a' } })).toEqual([{ field: 'dataset', path: 'a' }]);
    expect(pathsIn({ model: undefined })).toEqual([]);
  });
});
