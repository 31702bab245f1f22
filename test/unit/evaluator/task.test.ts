import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDocuments } from '../../../src/evaluator/documents.js';
import { loadTask, parseDefinition } from '../../../src/evaluator/task.js';
import { thrownBy } from './fakes.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'task-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('readDocuments', () => {
  it('reads JSONL, JSON and CSV', () => {
    const expected = [{ a: 'x, y' }, { a: 'z' }];
    expect(readDocuments(write('d.jsonl', '\uFEFF{"a":"x, y"}\r\n\n{"a":"z"}\n'))).toEqual(
      expected,
    );
    expect(readDocuments(write('d.json', JSON.stringify(expected)))).toEqual(expected);
    expect(readDocuments(write('d.csv', 'a\n"x, y"\nz\n'))).toEqual(expected);
  });

  it('splits text at <|endoftext|>, else at line ends, or as told', () => {
    const texts = (name: string, text: string, separator?: string): unknown[] =>
      readDocuments(write(name, text), separator).map(({ text: piece }) => piece);
    expect(texts('a.txt', 'one\ntwo\n<|endoftext|>\nthree\n')).toEqual(['one\ntwo', 'three']);
    expect(texts('b.txt', 'one\n\ntwo\n')).toEqual(['one', 'two']);
    expect(texts('c.txt', 'a1b22c', '\\d+')).toEqual(['a', 'b', 'c']);
  });

  it('names file and line of what is wrong', () => {
    const broken = write('d.jsonl', '{"a":1}\n{"a":\n');
    expect(thrownBy(() => readDocuments(broken))).toMatchObject({
      code: 'TASK_DATA_INVALID',
      place: { file: broken, line: 2 },
    });
    expect(thrownBy(() => readDocuments(write('e.jsonl', '{}\n[1]\n')))).toMatchObject({
      place: { line: 2 },
    });
    for (const [name, text] of [
      ['f.json', '{"a":1}'],
      ['g.csv', 'a,b\n"x,1\n'],
      ['h.csv', 'a,b\nx\n'],
      ['i.csv', 'a,a,b\n1,2,3\n'],
      ['h.jsonl', ''],
    ] as const) {
      expect(thrownBy(() => readDocuments(write(name, text)))).toMatchObject({
        code: 'TASK_DATA_INVALID',
      });
    }
    expect(thrownBy(() => readDocuments(join(folder, 'none.csv')))).toMatchObject({
      code: 'TASK_DATA_INVALID',
    });
  });
});

const minimal = 'task: t\nkind: loglikelihood\ndoc_to_target: a\nmetrics: [acc]\n';

describe('parseDefinition', () => {
  const errorOf = (text: string): unknown => thrownBy(() => parseDefinition(text, 'my.yaml'));

  it('fills in the defaults', () => {
    expect(parseDefinition(minimal, 'my.yaml')).toMatchObject({
      target_delimiter: ' ',
      num_fewshot: 0,
      fewshot_delimiter: '\n\n',
    });
  });

  it('names file, line and field of a wrong value', () => {
    expect(errorOf(minimal.replace('loglikelihood', 'guess'))).toMatchObject({
      code: 'TASK_INVALID',
      place: { file: 'my.yaml', line: 2, column: 7, field: 'kind' },
    });
    expect(errorOf(minimal.replace('[acc]', '[acc, speed]'))).toMatchObject({
      place: { line: 4, field: 'metrics.1' },
    });
  });

  it('reports an unknown field, a missing one, and broken YAML', () => {
    expect(errorOf(`${minimal}metric: acc\n`)).toMatchObject({
      place: { line: 5, field: 'metric' },
    });
    expect(errorOf(minimal.replace('task: t\n', ''))).toMatchObject({ place: { field: 'task' } });
    expect(errorOf('task: [')).toMatchObject({ code: 'TASK_INVALID', place: { line: 1 } });
    expect(errorOf('- a')).toMatchObject({ code: 'TASK_INVALID' });
  });

  it('reports an alias of nothing, and aliases without end', () => {
    const invalid = { code: 'TASK_INVALID', place: { file: 'my.yaml', line: 1 } };
    expect(errorOf(`${minimal}doc_to_text: *nothing\n`)).toMatchObject(invalid);
    const ten = (name: string): string => `[${Array.from({ length: 10 }, () => name).join(', ')}]`;
    const bomb = `a: &a ${ten('x')}\nb: &b ${ten('*a')}\nc: &c ${ten('*b')}\nd: &d ${ten('*c')}\ne: ${ten('*d')}\n`;
    expect(errorOf(minimal + bomb)).toMatchObject({
      ...invalid,
      message: expect.stringMatching(/more than 20000 values/) as string,
      place: { file: 'my.yaml', line: 9 },
    });
  });

  it('refuses fields and metrics that do not go with the kind', () => {
    const fields = (changes: Record<string, unknown>): unknown =>
      thrownBy(() => parseDefinition(minimal, 'my.yaml', changes));
    const places = [
      [{ metrics: ['acc_norm'] }, 'metrics.0'],
      [{ kind: 'multiple_choice' }, 'doc_to_choice'],
      [{ doc_to_choice: ['a'] }, 'doc_to_choice'],
      [{ generation: {} }, 'generation'],
      [{ filters: [{ name: 'f', steps: [{ function: 'strip' }] }] }, 'filters'],
      [{ num_fewshot: 2 }, 'fewshot'],
      [{ doc_to_target: 3 }, 'doc_to_target'],
      [{ separator: '(' }, 'separator'],
      [
        { kind: 'loglikelihood_rolling', doc_to_text: 'a', metrics: ['nll_per_token'] },
        'doc_to_text',
      ],
    ] as const;
    for (const [changes, field] of places) {
      expect(fields(changes), field).toMatchObject({ code: 'TASK_INVALID', place: { field } });
    }
  });

  it('reports several faults at once', () => {
    expect(errorOf('kind: x\ndoc_to_target: a\nmetrics: []\n')).toMatchObject({
      message: expect.stringMatching(/task: .*kind: .*metrics: /) as string,
    });
  });
});

describe('loadTask', () => {
  it('finds data beside the task file, columns beside the data, and applies overrides', () => {
    const task = write(
      't.yaml',
      'task: t\nkind: multiple_choice\ndata: [a.jsonl, b.jsonl]\nline_files: { gold: gold.lst }\n' +
        'doc_to_choice: [x, y]\ndoc_to_target: "{{gold}}"\nmetrics: [acc]\n',
    );
    write('a.jsonl', '{"q":1}\n');
    write('b.jsonl', '{"q":2}\n');
    write('gold.lst', '1\n0\n');
    const loaded = loadTask(task, { task: 'mine' });
    expect(loaded.definition.task).toBe('mine');
    expect(loaded.items).toEqual([
      { id: '0', document: { q: 1, gold: '1' } },
      { id: '1', document: { q: 2, gold: '0' } },
    ]);
    write('gold.lst', '1\n');
    expect(thrownBy(() => loadTask(task))).toMatchObject({ code: 'TASK_DATA_INVALID' });
  });

  it('asks for data where none is named', () => {
    const file = write('t.yaml', minimal);
    expect(thrownBy(() => loadTask(file))).toMatchObject({
      code: 'TASK_DATA_MISSING',
      place: { file, field: 'data' },
    });
    expect(thrownBy(() => loadTask(join(folder, 'none.yaml')))).toMatchObject({
      code: 'TASK_INVALID',
    });
  });
});
