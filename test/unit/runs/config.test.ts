import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CfsError, formatPlace } from '../../../src/errors.js';
import { checkRunConfig, parseRunConfig, stringifyRunConfig } from '../../../src/runs/config.js';
import { runConfigSchema } from '../../../src/runs/configSchema.js';
import { changeWords } from '../../../src/runs/fieldRules.js';

const least = 'model: models/tiny\ndataset: data.jsonl\n';
const file = '/project/run.yaml';

function problemsOf(text: string): string[] {
  return checkRunConfig(text, file).problems.map(
    ({ place, message }) => `${place.line} ${place.field ?? ''}: ${message}`,
  );
}

describe('parseRunConfig', () => {
  it('fills in the defaults and makes paths absolute', () => {
    const config = parseRunConfig(least, file);
    expect(config.model).toBe('/project/models/tiny');
    expect(config.dataset).toEqual([{ path: '/project/data.jsonl' }]);
    expect(config.generation.budget).toBe(0.1);
    expect(config.training.learningRate).toBe(5e-6);
  });

  it('names line and field of every problem at once', () => {
    const text = [
      'model: m',
      'dataset:',
      '  pth: a.csv',
      'learning_rate: 3',
      'training:',
      '  epochs: -1',
      '  batchrows: 3',
      'evaluation: {subset: 1.5}',
    ].join('\n');
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^2 dataset\[0\]\.path: .*is missing/),
      expect.stringMatching(/^3 dataset\[0\]\.pth: .*did you mean `path`\?/),
      expect.stringMatching(/^4 learning_rate: .*did you mean `training\.learningRate`\?/),
      expect.stringMatching(/^6 training\.epochs: .*above 0/),
      expect.stringMatching(/^7 training\.batchrows: .*did you mean `batchRows`\?/),
      expect.stringMatching(/^8 evaluation\.subset: .*whole number/),
    ]);
    expect(() => parseRunConfig(text, file)).toThrowError(/6 problems[^]*line 7:3[^]*line 8:/);
  });

  it.each(['- a\n- b\n', 'just words\n'])('names no field for a file of %j', (text) => {
    const [problem] = checkRunConfig(text, file).problems;
    expect(formatPlace(problem?.place ?? {})).toBe(`${file}:1:1`);
    // What findings about a run as a whole have.
    expect(formatPlace({ file, field: '' })).toBe(file);
  });

  it('throws one CfsError with the place of the first problem', () => {
    let thrown: unknown;
    try {
      parseRunConfig(`${least}method: lora\n`, file);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CfsError);
    expect(thrown).toMatchObject({
      code: 'CONFIG_INVALID',
      place: { file, line: 3, column: 1, field: 'method' },
    });
  });

  it.each([
    ['model: [', 1],
    ['model: a\nmodel: b', 2],
    ['a: *nothing', 1],
    ['- a\n- b', 1],
    ['', 1],
  ])('tells what is wrong with %j', (text, line) => {
    const { problems } = checkRunConfig(text, file);
    expect(problems[0]?.place).toMatchObject({ file, line });
  });

  it('refuses to choose the best checkpoint by what is not measured', () => {
    expect(problemsOf(`${least}evaluation:\n  bestBy: downstream\n`)).toEqual([
      expect.stringMatching(/^4 evaluation\.bestBy: .*needs `evaluation.downstream`/),
    ]);
    const held = `${least}evaluation:\n  bestBy: downstream\n  holdOut: 0.1\n`;
    expect(problemsOf(held)).toEqual([]);
  });

  it('takes a list of datasets of both forms', () => {
    const text = 'model: m\ndataset:\n  - a.csv\n  - path: b.csv\n    columns: {prompt: q}\n';
    expect(parseRunConfig(text, file).dataset).toEqual([
      { path: '/project/a.csv' },
      { path: '/project/b.csv', columns: { prompt: 'q' } },
    ]);
  });
});

describe('stringifyRunConfig', () => {
  const config = parseRunConfig(
    `${least}name: 'a: b'\nmethod: sft\ngeneration: {bos: '<s>', topP: 0.9}\n` +
      'evaluation: {tasks: [tasks/a.yaml], downstream: ../held-out.jsonl}\n',
    file,
  );

  it('round-trips', () => {
    expect(parseRunConfig(stringifyRunConfig(config, file), file)).toEqual(config);
  });

  it('keeps pointing at the same files from another folder', () => {
    const elsewhere = '/project/.cfs/runs/one/run.yaml';
    const text = stringifyRunConfig(config, elsewhere);
    expect(text).toContain('model: ../../../models/tiny');
    expect(parseRunConfig(text, elsewhere)).toEqual(config);
  });

  it('says above each field what it is', () => {
    const text = stringifyRunConfig(config, file);
    expect(text).toMatch(/# .*learning rate.*\n {2}learningRate:/);
    const comments = [...text.matchAll(/^ *# (.*)\n *(\w+):/gm)];
    const saying = (words: string): string[] =>
      comments.flatMap(([, comment = '', key = '']) => (comment.endsWith(words) ? [key] : []));
    expect(saying(changeWords.always)).toEqual(expect.arrayContaining(['name', 'epochs']));
    expect(saying(changeWords['until-training'])).toContain('learningRate');
    expect(text).toContain('# Random seed.\n');
  });
});

describe('runConfigSchema', () => {
  it('gives every field a description, for forms', () => {
    interface Field {
      description?: string;
      properties?: Record<string, Field>;
    }
    const root = z.toJSONSchema(runConfigSchema, { io: 'output' }) as Field;
    const undescribed: string[] = [];
    const visit = (field: Field, path: string): void => {
      for (const [name, part] of Object.entries(field.properties ?? {})) {
        if (part.description === undefined) undescribed.push(`${path}${name}`);
        visit(part, `${path}${name}.`);
      }
    };
    visit(root, '');
    expect(undescribed).toEqual([]);
    expect(Object.keys(root.properties ?? {})).toContain('training');
  });
});
