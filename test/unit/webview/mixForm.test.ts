import { describe, expect, it } from 'vitest';
import { configFormSchema } from '../../../src/runs/configForm.js';
import {
  formOf,
  labelsOf,
  missingFields,
  problemsWithin,
  schemaNode,
  warningsWithin,
  withLists,
  type Field,
  type Form,
} from '../../../webview-ui/panel/mix/formModel.js';
import { getAt, parseNumber, setAt, textOf } from '../../../webview-ui/panel/mix/values.js';

const schema = schemaNode.parse(configFormSchema());

function fieldsOf(form: Form): Field[] {
  return form.sections.flatMap(({ basic, advanced }) => [...basic, ...advanced]);
}

function fieldOf(form: Form, id: string): Field {
  const field = fieldsOf(form).find((each) => each.id === id);
  if (!field) throw new Error(`no field ${id}`);
  return field;
}

describe('formOf', () => {
  it('has every field of run.yaml, each with its control and help', () => {
    const form = formOf(schema, {}, []);
    const known = Object.entries(schema.properties ?? {}).flatMap(([name, node]) =>
      node.properties ? Object.keys(node.properties).map((inner) => `${name}.${inner}`) : [name],
    );
    expect(
      fieldsOf(form)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(known.toSorted());
    for (const field of fieldsOf(form)) {
      expect(field.control.kind, field.id).not.toBe('other');
      expect(field.help, field.id).not.toBe('');
    }
  });

  it('makes a control of what the schema says', () => {
    const values = { dataset: [{ path: '/d.jsonl', columns: { prompt: 'q' } }] };
    const form = formOf(schema, values, []);
    expect(fieldOf(form, 'model').control).toEqual({ kind: 'path', pick: 'folder' });
    expect(fieldOf(form, 'generation.bos').control.kind).toBe('textOrNumber');
    expect(fieldOf(form, 'training.epochs')).toMatchObject({
      label: 'Epochs',
      standard: 1,
      control: { kind: 'number' },
    });
    const { control } = fieldOf(form, 'dataset');
    expect(control).toMatchObject({
      kind: 'list',
      pick: 'files',
      mainKey: 'path',
      items: [{ main: { id: 'dataset[0].path', value: '/d.jsonl' } }],
    });
    const more = control.kind === 'list' ? (control.items[0]?.more ?? []) : [];
    expect(more.map(({ id, control }) => [id, control.kind])).toEqual([
      ['dataset[0].columns', 'map'],
      ['dataset[0].template', 'group'],
      ['dataset[0].list', 'text'],
    ]);
  });

  it('shows what the chosen method uses, and knows no method itself', () => {
    const later = schemaNode.parse({
      type: 'object',
      properties: {
        method: { type: 'string', enum: ['sft', 'replay'], default: 'sft' },
        replay: {
          type: 'object',
          description: 'Old data.',
          methods: ['replay'],
          properties: { share: { type: 'number', default: 0.2, basic: true } },
        },
      },
    });
    const names = (values: Record<string, unknown>): string[] =>
      fieldsOf(formOf(later, values, [])).map(({ id }) => id);
    expect(names({})).toEqual(['method']);
    expect(names({ method: 'replay' })).toEqual(['method', 'replay.share']);
    expect(names({ method: 'sft', replay: { share: 0.3 } })).toEqual(['method']);
  });

  it('puts each problem at the field that names it best', () => {
    const values = { method: 'sft', dataset: [{ path: '' }] };
    const form = formOf(schema, values, [
      { field: 'dataset[0].path', message: 'a' },
      { field: 'dataset[0].pth', message: 'b' },
      { field: 'training.epochs', message: 'c' },
      { field: 'mix.lambda', message: 'd' },
      { field: '', message: 'e' },
    ]);
    expect(fieldOf(form, 'dataset').problems).toEqual(['b']);
    expect(problemsWithin(fieldOf(form, 'dataset'))).toEqual(['b', 'a']);
    expect(fieldOf(form, 'training.epochs').problems).toEqual(['c']);
    // The method does not use it, so it is not in view.
    expect(form.problems).toEqual(['mix.lambda: d', 'e']);
  });

  it('puts each warning at its field, and counts it as no problem', () => {
    const warnings = [
      { field: 'dataset[0].path', message: 'a' },
      { field: 'generation.budget', message: 'b' },
    ];
    const values = { method: 'sft', dataset: [{ path: '/d.jsonl' }] };
    const form = formOf(schema, values, [], {}, warnings);
    const dataset = fieldOf(form, 'dataset');
    expect(warningsWithin(dataset)).toEqual(['a']);
    expect(problemsWithin(dataset)).toEqual([]);
    expect([form.warnings, form.problems]).toEqual([['generation.budget: b'], []]);
  });

  it('knows what must be chosen and what was changed', () => {
    const values = { dataset: [], training: { epochs: 2, warmup: 0.03 } };
    const form = formOf(schema, values, []);
    expect(missingFields(form).map(({ id }) => id)).toEqual(['model', 'dataset']);
    expect(
      fieldsOf(form)
        .filter(({ changed }) => changed)
        .map(({ id }) => id),
    ).toEqual(['training.epochs']);
  });
});

describe('a suggestion', () => {
  const of = (learningRate?: number): Field =>
    fieldOf(
      formOf(schema, { training: { learningRate } }, [], { 'training.learningRate': 0.0008 }),
      'training.learningRate',
    );

  it('takes the place of the default as what a field is reset to', () => {
    expect(of(0.0008)).toMatchObject({ suggested: 0.0008, changed: false });
    expect(of(0.1).changed).toBe(true);
    // Left empty, the default holds, which suits larger models.
    expect(of()).toMatchObject({ changed: true, standard: 5e-6 });
  });
});

it('tells a setting that another one replaces', () => {
  const replaced = (values: Record<string, unknown>): string[] =>
    fieldsOf(formOf(schema, values, [])).flatMap(({ id, replacedBy }) =>
      replacedBy === undefined ? [] : `${id} by ${replacedBy}`,
    );
  expect(replaced({ training: { epochs: 3 }, evaluation: { holdOut: 0.1 } })).toEqual([]);
  expect(
    replaced({
      generation: { count: 20 },
      training: { epochs: 3, steps: 20 },
      evaluation: { holdOut: 0.1, downstream: [{ path: '/d.jsonl' }] },
    }),
  ).toEqual([
    'generation.budget by Number of samples',
    'training.epochs by Steps',
    'evaluation.holdOut by Held-out rows',
  ]);
});

it('has the labels of fields that are named', () => {
  const form = formOf(schema, {}, []);
  expect(labelsOf(form, ['training.learningRate', 'dataset', 'dataset', 'old.field'])).toEqual([
    'Learning rate',
    'Dataset',
    'old.field',
  ]);
});

describe('withLists', () => {
  it('makes a list of what run.yaml allows in its place', () => {
    const values = {
      dataset: '/a.csv',
      evaluation: { tasks: ['t.yaml'], downstream: { path: 'h' } },
    };
    expect(withLists(schema, values)).toEqual({
      dataset: [{ path: '/a.csv' }],
      evaluation: { tasks: ['t.yaml'], downstream: [{ path: 'h' }] },
    });
    expect(withLists(schema, { dataset: ['/a', { path: '/b' }] })).toEqual({
      dataset: [{ path: '/a' }, { path: '/b' }],
    });
  });
});

describe('values', () => {
  const values = { name: 'a', training: { epochs: 2 }, dataset: [{ path: 'a' }, { path: 'b' }] };

  it('reads and sets by path, leaving the old values alone', () => {
    expect(getAt(values, ['dataset', 1, 'path'])).toBe('b');
    expect(getAt(values, ['name', 'toString'])).toBeUndefined();
    expect(setAt(values, ['dataset', 1, 'columns', 'prompt'], 'q')).toEqual({
      ...values,
      dataset: [{ path: 'a' }, { path: 'b', columns: { prompt: 'q' } }],
    });
    expect(values.dataset[1]).toEqual({ path: 'b' });
  });

  it('unsets what is set to nothing, with what it leaves empty', () => {
    expect(setAt(values, ['training', 'epochs'], undefined)).not.toHaveProperty('training');
    const one = setAt(values, ['dataset', 0], undefined);
    expect(one.dataset).toEqual([{ path: 'b' }]);
    expect(setAt(one, ['dataset', 0], undefined)).not.toHaveProperty('dataset');
  });

  it.each([
    ['', undefined],
    [' 3 ', 3],
    ['1e-5', 1e-5],
    ['1e-', '1e-'],
    ['0x', '0x'],
    ['Infinity', 'Infinity'],
  ])('reads %j as a number where it is one', (text, value) => {
    expect(parseNumber(text)).toBe(value);
  });

  it('shows values as they are written', () => {
    expect([undefined, 'a', 5e-6, true].map(textOf)).toEqual(['', 'a', '0.000005', 'true']);
  });
});
