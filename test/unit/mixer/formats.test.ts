/** Every shape of row people have, and the errors for those we cannot read. */
import { describe, expect, it } from 'vitest';
import { CfsError } from '../../../src/errors.js';
import { resolveFormat, suggestColumns } from '../../../src/mixer/formats.js';
import { datasetFormatSchema, type DatasetFormat } from '../../../src/protocol/datasetFormat.js';

/** The example as text, with what is trained on between “ and ”. */
function textOf(row: Record<string, unknown>, options: DatasetFormat = {}): string {
  return resolveFormat(Object.keys(row), options)
    .toExample(row)
    .segments.map(({ text, supervised }) => (supervised ? `“${text}”` : text))
    .join('');
}

function errorOf(act: () => unknown): CfsError {
  try {
    act();
  } catch (error) {
    if (error instanceof CfsError) return error;
    throw error;
  }
  return expect.fail('no error was thrown');
}

describe('shapes', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['prompt-completion', { prompt: 'a', completion: 'b' }, 'a\n“b”'],
    ['prompt-completion', { prompt: 'a', response: ' b' }, 'a“ b”'],
    ['prompt-completion', { input: 'a ', output: 'b' }, 'a “b”'],
    ['prompt-completion', { context: 'c', prompt: 'a', completion: 'b' }, 'c\n\na\n“b”'],
    ['prompt-completion', { Prompt: 'a', Completion: 5 }, 'a\n“5”'],
    ['prompt-completion', { prompt: '', completion: 'b' }, '“b”'],
    ['question-answer', { question: 'q', answer: 'a' }, 'Question: q\nAnswer:“ a”'],
    [
      'question-answer',
      { question: 'q', answer: true, context: 'c' },
      'c\nQuestion: q\nAnswer:“ true”',
    ],
    ['text', { text: 'all of it' }, '“all of it”'],
  ])('%s: %o', (shape, row, text) => {
    expect(resolveFormat(Object.keys(row), {}).shape).toBe(shape);
    expect(textOf(row)).toBe(text);
  });

  it("uses Alpaca's wording for instructions, with and without an input", () => {
    const head = 'Below is an instruction that describes a task';
    const ask = 'Write a response that appropriately completes the request.';
    expect(textOf({ instruction: 'do', input: '', output: 'done' })).toBe(
      `${head}. ${ask}\n\n### Instruction:\ndo\n\n### Response:\n“done”`,
    );
    expect(textOf({ instruction: 'do', context: 'this', response: 'done' })).toBe(
      `${head}, paired with an input that provides further context. ${ask}` +
        '\n\n### Instruction:\ndo\n\n### Input:\nthis\n\n### Response:\n“done”',
    );
    expect(textOf({ instruction: 'do', input: null, output: 'done' })).not.toContain('### Input');
  });

  it('says which columns are not used', () => {
    const format = resolveFormat(['ID', 'Body', 'Question', 'Answer'], {});
    expect(format.used).toEqual(['Question', 'Answer']);
    expect(format.unused).toEqual(['ID', 'Body']);
  });
});

describe('columns', () => {
  it('maps other names', () => {
    expect(textOf({ mr: 'm', ref: 'r' }, { columns: { prompt: 'mr', response: 'ref' } })).toBe(
      'm\n“r”',
    );
    expect(
      textOf(
        { Body: 'b', Question: 'q', Answer: 1 },
        { columns: { context: 'Body', question: 'Question', answer: 'Answer' } },
      ),
    ).toBe('b\nQuestion: q\nAnswer:“ 1”');
  });

  it('lets the mapping win over columns that look known', () => {
    const row = { text: 'task', code: 'x = 1', instruction: 'i', output: 'o' };
    expect(textOf(row, { columns: { prompt: 'text', response: 'code' } })).toBe('task\n“x = 1”');
    expect(textOf(row, { columns: { response: 'code', prompt: 'instruction' } })).toBe(
      'i\n“x = 1”',
    );
  });

  it('completes a partial mapping from the columns themselves', () => {
    expect(textOf({ prompt: 'p', label: 'l' }, { columns: { response: 'label' } })).toBe('p\n“l”');
  });

  it('reads rows that are lists, by position', () => {
    const format = resolveFormat(['0', '1'], { columns: { prompt: '0', response: '1' } });
    expect(format.toExample(['how', 'so']).segments.map(({ text }) => text)).toEqual([
      'how\n',
      'so',
    ]);
  });

  it('lists the columns there are when none is known or a mapped one is missing', () => {
    const unknown = errorOf(() => resolveFormat(['mr', 'ref'], {}));
    expect(unknown.code).toBe('DATASET_COLUMNS');
    expect(unknown.message).toContain('mr, ref');
    expect(unknown.remedy).toContain('`columns: { prompt: mr, completion: ref }`');
    const missing = errorOf(() => resolveFormat(['mr', 'ref'], { columns: { prompt: 'MR' } }));
    expect(missing.message).toContain('no column "MR"; the columns are: mr, ref');
    expect(missing.place.field).toBe('columns.prompt');
  });

  it.each([
    [['mr', 'ref'], {}, { prompt: 'mr', completion: 'ref' }],
    [['ref', 'mr'], { prompt: 'mr' }, { prompt: 'mr', completion: 'ref' }],
    [['mr', 'ref'], { prompt: 'MR' }, { prompt: 'mr', completion: 'ref' }],
    [['id', 'Question', 'reply'], {}, { question: 'Question', answer: 'id' }],
    [['said', 'output'], {}, { prompt: 'said', output: 'output' }],
    [['a', 'text'], { prompt: 'q' }, { text: 'text' }],
    [['prompt'], {}, { text: 'prompt' }],
    [['0', 'null: 1'], {}, { prompt: '0', completion: 'null: 1' }],
  ] as const)('suggests for %j with %j what can be read', (columns, given, suggested) => {
    expect(suggestColumns(columns, given)).toEqual(suggested);
    resolveFormat(columns, { columns: suggested });
  });

  it('refuses unknown names in the settings', () => {
    expect(datasetFormatSchema.safeParse({ columns: { promt: 'mr' } }).success).toBe(false);
    expect(datasetFormatSchema.safeParse({ columns: { prompt: 'mr' } }).success).toBe(true);
  });
});

describe('templates', () => {
  it('words prompt and response exactly, with columns and known names', () => {
    const options = {
      columns: { prompt: 'mr' },
      template: { prompt: 'MR: {{ mr | upper }} / {{ prompt }} =>', response: ' {{ ref }}' },
    };
    expect(textOf({ mr: 'm', ref: 'r' }, options)).toBe('MR: M / m =>“ r”');
    expect(resolveFormat(['mr', 'ref', 'x'], options).unused).toEqual(['x']);
  });

  it('may give one half only, and adds nothing between', () => {
    expect(
      textOf({ prompt: 'p', completion: 'c' }, { template: { prompt: 'Q{{ prompt }}A' } }),
    ).toBe('QpA“c”');
    expect(
      textOf({ prompt: 'p', completion: 'c' }, { template: { response: '{{ completion }}!' } }),
    ).toBe('p\n“c!”');
    expect(errorOf(() => resolveFormat(['text'], { template: { prompt: 'x' } })).code).toBe(
      'TEMPLATE_HALF',
    );
  });

  it('allows a row to lack a field that is only asked about', () => {
    const options = {
      template: {
        prompt:
          '{% if note %}{{ note }}: {% endif %}{% for w in a.split(" ") %}{{ w }}-{% endfor %}',
        response: '{{ b if b else "none" }}',
      },
    };
    const format = resolveFormat(['a', 'b', 'note'], options);
    const text = (row: unknown): string[] => format.toExample(row).segments.map((s) => s.text);
    expect(text({ a: 'x y', b: 'z', note: 'n' })).toEqual(['n: x-y-', 'z']);
    expect(text({ a: 'x' })).toEqual(['x-', 'none']);
    expect(errorOf(() => text({ b: 'z' }))).toMatchObject({
      code: 'FIELD_MISSING',
      place: { field: 'a' },
    });
  });

  it('refuses names that are no columns, and broken Jinja', () => {
    const options = (prompt: string): DatasetFormat => ({
      template: { prompt, response: '{{ b }}' },
    });
    const wrong = errorOf(() => resolveFormat(['a', 'b'], options('{{ instruction }}')));
    expect(wrong).toMatchObject({ code: 'TEMPLATE_FIELD', place: { field: 'template.prompt' } });
    expect(wrong.message).toContain('the columns are: a, b');
    expect(errorOf(() => resolveFormat(['a', 'b'], options('{{ a'))).code).toBe('TEMPLATE_BROKEN');
    const format = resolveFormat(['a', 'b'], options('{{ a | nosuchfilter }}'));
    expect(errorOf(() => format.toExample({ a: 'x', b: 'y' })).code).toBe('TEMPLATE_FAILED');
  });
});

describe('rows that cannot be used', () => {
  const format = resolveFormat(['prompt', 'completion'], {});
  it.each<[string, unknown, string, string | undefined]>([
    ['a missing field', { prompt: 'p' }, 'FIELD_MISSING', 'completion'],
    ['a null', { prompt: null, completion: 'c' }, 'FIELD_MISSING', 'prompt'],
    ['an empty response', { prompt: 'p', completion: '' }, 'EMPTY_RESPONSE', 'completion'],
    ['a blank response', { prompt: 'p', completion: ' \n' }, 'EMPTY_RESPONSE', 'completion'],
    ['a list', { prompt: 'p', completion: ['c'] }, 'FIELD_NOT_TEXT', 'completion'],
    ['an object', { prompt: { a: 1 }, completion: 'c' }, 'FIELD_NOT_TEXT', 'prompt'],
    ['a bare value', 'prompt', 'ROW_NOT_OBJECT', undefined],
  ])('names %s', (_, row, code, field) => {
    const error = errorOf(() => format.toExample(row));
    expect([error.code, error.place.field]).toEqual([code, field]);
  });
});
