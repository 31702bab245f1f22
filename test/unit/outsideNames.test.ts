/**
 * Names from outside that every JavaScript object inherits, or that are words of YAML, Jinja or
 * Python: each is an ordinary name at every door, known or unknown like any other.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDocuments } from '../../src/evaluator/documents.js';
import { renderText } from '../../src/evaluator/template.js';
import { loadTask, parseDefinition } from '../../src/evaluator/task.js';
import { resolveFormat } from '../../src/mixer/formats.js';
import { loadTokenizer } from '../../src/model/tokenizer.js';
import { own, setOwn } from '../../src/own.js';
import { lossParts, lossPoints, runCurves } from '../../src/protocol/curveData.js';
import { sourceLabel, sourceRole } from '../../src/protocol/sourceRoles.js';
import { checkRunConfig } from '../../src/runs/config.js';
import { flattenFields, valueAt, withValue } from '../../src/runs/fields.js';
import { getAt, setAt } from '../../webview-ui/panel/mix/values.js';
import { configArchitecture } from '../support/configArchitecture.js';
import { expectError } from '../support/expectError.js';
import { letterTokenizer, temporaryFolder, writeFiles } from './model/folderFixture.js';
import { madeUpEvents } from './runs/madeUpRun.js';

const inherited = ['constructor', 'toString', 'hasOwnProperty', '__proto__'];
const reserved = ['none', 'true', 'null', 'None'];

/** JSON as a file gives it: `__proto__` is a key like others. */
function parsed(name: string, value: string | number): Record<string, unknown> {
  return JSON.parse(`{${JSON.stringify(name)}: ${JSON.stringify(value)}}`) as never;
}

describe.each([...inherited, ...reserved])('the name %s', (name) => {
  it('is an unknown field of run.yaml, with its line', () => {
    const { problems } = checkRunConfig(`model: m\ndataset: d.jsonl\n${name}: 1\n`, '/w/run.yaml');
    expect(problems.map(({ code, place: { line } }) => [code, line])).toEqual([
      ['CONFIG_INVALID', 3],
    ]);
    const key = name === 'null' ? '' : name;
    expect(problems[0]?.message).toContain(`Unknown field \`${key}\``);
  });

  it('is an unknown name of a column', () => {
    const text = `model: m\ndataset:\n  path: d.csv\n  columns:\n    ${name}: a\n`;
    const { problems } = checkRunConfig(text, '/w/run.yaml');
    expect(problems.map(({ code, place: { line } }) => [code, line])).toEqual([
      ['CONFIG_INVALID', 5],
    ]);
  });

  it('is an unknown field of a task', async () => {
    const text = `task: t\nkind: loglikelihood\ndoc_to_target: x\nmetrics: [acc]\n${name}: 1\n`;
    await expectError('TASK_INVALID', () => parseDefinition(text, '/w/task.yaml'));
  });

  it('is an ordinary setting of a form', () => {
    const values = withValue({}, `training.${name}`, 1);
    expect(Object.keys(values.training as object)).toEqual([name]);
    expect(valueAt(values, `training.${name}`)).toBe(1);
    expect(Object.entries(flattenFields(values))).toEqual([[`training.${name}`, 1]]);
    expect(valueAt({}, name)).toBeUndefined();
    expect(Object.entries(setAt({}, [name], 1))).toEqual([[name, 1]]);
    expect(setAt(setAt({}, [name, 'a'], 1), [name, 'a'], undefined)).toEqual({});
    expect(getAt({}, [name])).toBeUndefined();
  });

  it('is a field of the items that a task reads, in every format', () => {
    const [key, value] = [JSON.stringify(name), '"words"'];
    const folder = writeFiles(temporaryFolder(), {
      'a.jsonl': `{${key}: ${value}}\n`,
      'a.json': `[{${key}: ${value}}]`,
      'a.csv': `${name},b\nwords,c\n`,
      'text.txt': 'item\n',
      'words.txt': 'words\n',
    });
    const files = ['jsonl', 'json', 'csv'].map((ending) => join(folder, `a.${ending}`));
    const items = files.flatMap((file) => readDocuments(file));
    expect(items.map((item) => own(item, name))).toEqual(['words', 'words', 'words']);
    const text =
      `task: t\nkind: loglikelihood\ndata: text.txt\nline_files: { ${key}: words.txt }\n` +
      `doc_to_target: ${key}\nmetrics: [acc]\n`;
    writeFileSync(join(folder, 'task.yaml'), text);
    const [item] = loadTask(join(folder, 'task.yaml')).items;
    expect(item && own(item.document, name)).toBe('words');
  });

  it('is the name of a field that an item of a task has', () => {
    expect(renderText(name, parsed(name, 'words'), 'doc_to_text')).toBe('words');
    expect(renderText('{{ 1 }}', parsed(name, 'words'), 'doc_to_text')).toBe('1');
  });
});

describe.each(['range', 'namespace', 'raise_exception', 'strftime_now', 'loop'])(
  'the name %s, which Jinja has a function or a variable for',
  (name) => {
    const template = { prompt: `Q: {{ ${name} }}`, response: '{{ a }}' };

    it('is a column that a row template misses', async () => {
      await expectError('TEMPLATE_FIELD', () => resolveFormat(['a'], { template }));
    });

    it('is a column that a row template prints, beside the function', () => {
      const row = { [name]: 'words', a: 'b' };
      const segments = (prompt: string) =>
        resolveFormat(Object.keys(row), { template: { ...template, prompt } })
          .toExample(row)
          .segments.map(({ text }) => text);
      expect(segments(template.prompt)).toEqual(['Q: words', 'b']);
      expect(segments(`{% if ${name} %}Q: {{ ${name} }}{% endif %}`)).toEqual(['Q: words', 'b']);
      const count = '{% for i in range(2) %}{{ loop.index }}{% endfor %}';
      expect(segments(`{{ ${name} }}: ${count}`)).toEqual(['words: 12', 'b']);
    });
  },
);

describe.each(inherited)('the inherited name %s', (name) => {
  it('is an unsupported model family', async () => {
    const error = await expectError('MODEL_UNSUPPORTED', () =>
      configArchitecture({ model_type: name }),
    );
    expect(error.message).toContain(name);
  });

  it('is a column that a row template misses, or prints', async () => {
    const template = { prompt: `Q: {{ ${name} }}`, response: '{{ a }}' };
    await expectError('TEMPLATE_FIELD', () => resolveFormat(['a'], { template }));
    const row = { ...parsed(name, 'words'), a: 'b' };
    const format = resolveFormat(Object.keys(row), { template });
    expect(format.toExample(row).segments.map(({ text }) => text)).toEqual(['Q: words', 'b']);
    await expectError('FIELD_MISSING', () => format.toExample({ a: 'b' }));
  });

  it('is a field that an item of a task misses', async () => {
    await expectError('TASK_TEMPLATE_FAILED', () =>
      renderText(`{{ ${name} }}`, { a: 'b' }, 'doc_to_text'),
    );
    await expectError('TASK_TEMPLATE_FAILED', () =>
      renderText(`{{ a.${name} }}`, { a: { b: 1 } }, 'doc_to_text'),
    );
  });

  it('is a source of a run that has no words of its own', () => {
    expect(sourceRole(name).label).toBe(name);
    expect(sourceLabel(name)).toBe(name);
    const run = runCurves(madeUpEvents());
    expect(lossPoints(run, { source: name })).toEqual([]);
    expect(lossParts([run]).map(({ source }) => source)).not.toContain(name);
  });

  it('is a token like others', () => {
    const json = letterTokenizer() as { model: { vocab: object } };
    const vocab: unknown = { ...json.model.vocab, ...parsed(name, 39) };
    const folder = writeFiles(temporaryFolder(), { 'tokenizer.json': letterTokenizer() });
    expect(loadTokenizer(folder).idOf(name)).toBeUndefined();
    const more = writeFiles(temporaryFolder(), {
      'tokenizer.json': { ...json, model: { ...json.model, vocab } },
    });
    expect(loadTokenizer(more).idOf(name)).toBe(39);
    expect(loadTokenizer(more).tokenText(39)).toBe(name);
  });

  it('is found only where a record holds it itself', () => {
    const record: Record<string, number> = {};
    expect(own(record, name)).toBeUndefined();
    setOwn(record, name, 1);
    expect(own(record, name)).toBe(1);
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
  });
});
