/** Whatever field of `run.yaml` holds a path is found by the schema's own word for it. */
import { describe, expect, it } from 'vitest';
import { mapPaths } from '../../../src/runs/paths.js';

const values = {
  name: 'a name',
  model: 'model',
  dataset: [{ path: 'rows.jsonl', list: 'train', template: { prompt: '{{ a }}' } }, { path: 'b' }],
  generation: { bos: '<s>', count: 3 },
  evaluation: { tasks: ['one.yaml', 'two.yaml'], downstream: [{ path: 'test.csv' }], bestBy: 'kl' },
};

describe('paths in run.yaml', () => {
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
    const move = (moving: object): unknown => mapPaths(moving, (path) => `/at/${path}`);
    expect(move({ dataset: 'rows.jsonl' })).toEqual({ dataset: '/at/rows.jsonl' });
    expect(move({ dataset: { path: 'a' } })).toEqual({ dataset: { path: '/at/a' } });
    expect(move({ model: undefined })).toEqual({ model: undefined });
  });
});
