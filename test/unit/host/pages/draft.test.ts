import { describe, expect, it } from 'vitest';
import { CfsError } from '../../../../src/errors.js';
import {
  absoluteDraft,
  applySuggestions,
  datasetPaths,
  fieldProblem,
  newDraft,
  readDraft,
  shownDraft,
  suggestionKey,
} from '../../../../src/host/pages/draft.js';

const small = { training: { learningRate: 1e-4, epochs: 3 } };
const large = { training: { learningRate: 5e-6, epochs: 1 } };

describe('suggestions', () => {
  it('fill what is empty and stay out of what the person chose', () => {
    const draft = newDraft({ model: 'm', training: { epochs: 7 } });
    const filled = applySuggestions(draft, small, 'first');
    expect(filled.values).toEqual({ model: 'm', training: { learningRate: 1e-4, epochs: 7 } });
    expect(filled.suggestedFor).toBe('first');
  });

  it('are told also where they are not filled in', () => {
    const filled = applySuggestions(newDraft({ training: { epochs: 7 } }), small, 'a');
    expect(filled.suggested).toEqual({ 'training.learningRate': 1e-4, 'training.epochs': 3 });
  });

  it('are replaced for another model, but not where they were changed since', () => {
    const filled = applySuggestions(newDraft({}), small, 'first');
    const changed = { ...filled, values: { training: { learningRate: 1e-4, epochs: 4 } } };
    expect(applySuggestions(changed, large, 'second').values).toEqual({
      training: { learningRate: 5e-6, epochs: 4 },
    });
  });

  it('leave what the person chose alone for good', () => {
    const draft = newDraft({ training: { epochs: 7 } });
    const twice = applySuggestions(applySuggestions(draft, small, 'a'), large, 'b');
    expect(twice.values).toEqual({ training: { learningRate: 5e-6, epochs: 7 } });
  });
});

describe('what is kept over a reload', () => {
  it('comes back as it was', () => {
    const kept = applySuggestions(newDraft({}), small, 'first');
    expect(readDraft(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
  });

  it('is nothing where another version kept something else', () => {
    expect(readDraft({ values: 3 })).toBeUndefined();
    expect(readDraft(undefined)).toBeUndefined();
  });
});

describe('the dataset of a draft', () => {
  it('may be a path, a source or a list of both', () => {
    expect(datasetPaths({ dataset: '/a.jsonl' })).toEqual(['/a.jsonl']);
    expect(datasetPaths({ dataset: { path: '/a.jsonl' } })).toEqual(['/a.jsonl']);
    expect(datasetPaths({ dataset: [{ path: '/a.jsonl' }, '/b.csv', { path: '' }] })).toEqual([
      '/a.jsonl',
      '/b.csv',
    ]);
    expect(datasetPaths({})).toEqual([]);
  });

  it('decides with the model what is suggested', () => {
    const values = { model: '/m', dataset: '/a.jsonl', name: 'x' };
    expect(suggestionKey(values)).toBe(suggestionKey({ ...values, name: 'y' }));
    expect(suggestionKey(values)).not.toBe(suggestionKey({ ...values, dataset: '/b.jsonl' }));
    expect(suggestionKey(values)).not.toBe(suggestionKey({ ...values, model: '/n' }));
  });
});

describe('the field of a problem', () => {
  const problem = (place: CfsError['place']) =>
    fieldProblem(
      new CfsError({ code: 'CONFIG_INVALID', message: 'It is wrong.', remedy: 'Mend it.', place }),
    );

  it('is the setting it comes from', () => {
    const file = '/data/config.json';
    // The field of a place in a file is no field of the form.
    expect(problem({ file, line: 3, field: 'model_type', setting: 'model' })).toEqual({
      field: 'model',
      message: 'config.json, line 3: It is wrong. Mend it.',
    });
    expect(problem({ file, field: 'model_type' }).field).toBe('');
  });

  it('is its own where it names no file, else the whole', () => {
    expect(problem({ field: 'generation.bos' }).field).toBe('generation.bos');
    expect(problem({})).toEqual({ field: '', message: 'It is wrong. Mend it.' });
  });
});

describe('paths on the page', () => {
  const values = {
    name: 'a/b',
    model: '/ws/models/small',
    dataset: [{ path: '/ws/a.jsonl', columns: { prompt: 'q' } }, '/elsewhere/b.csv'],
    evaluation: { tasks: ['/ws/tasks/one.yaml'], every: 20 },
  };
  const shown = {
    name: 'a/b',
    model: 'models/small',
    dataset: [{ path: 'a.jsonl', columns: { prompt: 'q' } }, '/elsewhere/b.csv'],
    evaluation: { tasks: ['tasks/one.yaml'], every: 20 },
  };

  it('are told from the workspace where they are inside it', () => {
    expect(shownDraft(values, '/ws')).toEqual(shown);
    expect(shownDraft({ model: '/ws' }, '/ws')).toEqual({ model: '.' });
    expect(shownDraft({ model: '/ws-other' }, '/ws')).toEqual({ model: '/ws-other' });
  });

  it('are absolute again for everyone else, and an empty one stays empty', () => {
    expect(absoluteDraft(shown, '/ws')).toEqual({
      ...values,
      dataset: [values.dataset[0], '/elsewhere/b.csv'],
    });
    expect(absoluteDraft({ model: '' }, '/ws')).toEqual({ model: '' });
  });
});
