/** The mix page begins with the chosen dataset and with the tasks that lie beside it. */
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeDraft } from '../../../src/host/draft.js';
import { checkConfigData } from '../../../src/runs/configForm.js';

const folder = resolve('somewhere');
const dataset = join(folder, 'tickets.jsonl');
const model = join(folder, 'model');
const plain = { datasets: [dataset], model, provider: 'auto', taskFiles: [] };

describe('makeDraft', () => {
  it('holds rows out where the dataset brings none for testing', () => {
    expect(makeDraft(plain)).toEqual({
      name: 'tickets',
      model,
      dataset: [{ path: dataset }],
      evaluation: { holdOut: 0.05 },
    });
  });

  it('protects the tasks beside the dataset and measures its own', () => {
    const taskFiles = [
      'sorting.yaml',
      'downstream.yaml',
      'downstream.jsonl',
      'facts.yml',
      'facts.jsonl',
      'notes.txt',
    ];
    expect(makeDraft({ ...plain, taskFiles }).evaluation).toEqual({
      tasks: [join(folder, 'tasks', 'facts.yml'), join(folder, 'tasks', 'sorting.yaml')],
      downstream: [{ path: join(folder, 'tasks', 'downstream.jsonl') }],
    });
  });

  it('names every file of several', () => {
    const other = join(folder, 'more.csv');
    const draft = makeDraft({ ...plain, datasets: [dataset, other] });
    expect(draft.dataset).toEqual([{ path: dataset }, { path: other }]);
    expect(draft.name).toBe('tickets');
  });

  it('leaves out what is not known, and a provider that is chosen anyway', () => {
    expect(makeDraft({ datasets: [], provider: 'auto', taskFiles: [] })).toEqual({});
    expect(makeDraft({ datasets: [], provider: 'cpu', taskFiles: [] })).toEqual({
      provider: 'cpu',
    });
  });

  it('is a configuration that can be started', () => {
    const taskFiles = ['facts.yaml', 'downstream.jsonl'];
    for (const draft of [makeDraft(plain), makeDraft({ ...plain, taskFiles })]) {
      expect(checkConfigData(draft)).toHaveProperty('config.model', model);
    }
  });
});
