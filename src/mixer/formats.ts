/**
 * From the rows people have to examples. The shape is found from the names of the columns; where
 * they are named otherwise, `columns` says which is which, and `template` words the text.
 *
 * | shape | columns | prompt | response |
 * |---|---|---|---|
 * | messages | messages | chat template | each assistant turn |
 * | instruction | instruction, input or context (optional), output or response | Alpaca's wording | as it is |
 * | prompt-completion | prompt or input, context (optional), completion, response or output | context, blank line, prompt, then a line break unless white space is there already | as it is |
 * | question-answer | question, context (optional), answer or response | `Question: …\nAnswer:` | a space, then the answer |
 * | text | text | none | all of it, from the second token on |
 * | template | any | `template.prompt` | `template.response` |
 *
 * Upper and lower case do not matter in these names. Numbers and true/false count as text.
 */
import { stringify } from 'yaml';
import { CfsError } from '../errors.js';
import {
  columnNames,
  type ColumnName,
  type DatasetFormat,
  type ShapeName,
} from '../protocol/datasetFormat.js';
import { createChatFormatter, type ChatOptions } from './chat.js';
import type { Example } from './example.js';
import { compileRowTemplate, type RowTemplate } from './rowTemplate.js';
import { own } from '../own.js';

export interface Format {
  shape: ShapeName;
  /** Columns of the file that are used, and those that are not. */
  used: string[];
  unused: string[];
  /** Throws a `CfsError` (`ROW_NOT_OBJECT`, `FIELD_MISSING`, `FIELD_NOT_TEXT`, `EMPTY_RESPONSE`, …). */
  toExample(record: unknown): Example;
}

interface Shape {
  name: Exclude<ShapeName, 'template'>;
  /** Alternatives for each part, the best first. */
  main: ColumnName[];
  context?: ColumnName[];
  response?: ColumnName[];
  prompt?: (main: string, context: string) => string;
  /** Written before the response. */
  lead?: string;
}

const SHAPES: Shape[] = [
  { name: 'messages', main: ['messages'] },
  {
    name: 'instruction',
    main: ['instruction'],
    context: ['input', 'context'],
    response: ['output', 'response'],
    prompt: alpacaPrompt,
  },
  {
    name: 'prompt-completion',
    main: ['prompt', 'input'],
    context: ['context'],
    response: ['completion', 'response', 'output'],
    prompt: (main, context) => (context === '' ? main : `${context}\n\n${main}`),
  },
  {
    name: 'question-answer',
    main: ['question'],
    context: ['context'],
    response: ['answer', 'response'],
    prompt: (main, context) => `${context === '' ? '' : `${context}\n`}Question: ${main}\nAnswer:`,
    lead: ' ',
  },
  { name: 'text', main: ['text'] },
];

/** The wording of Stanford Alpaca, github.com/tatsu-lab/stanford_alpaca. */
function alpacaPrompt(instruction: string, input: string): string {
  const request = 'Write a response that appropriately completes the request.';
  if (input === '') {
    return `Below is an instruction that describes a task. ${request}\n\n### Instruction:\n${instruction}\n\n### Response:\n`;
  }
  return (
    'Below is an instruction that describes a task, paired with an input that provides further ' +
    `context. ${request}\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:\n`
  );
}

/**
 * How to read rows with these columns. `chat` is needed for messages only. Throws
 * `DATASET_COLUMNS` (with the columns there are), `CHAT_TEMPLATE_MISSING` and `TEMPLATE_…`.
 */
export function resolveFormat(
  columns: readonly string[],
  options: DatasetFormat,
  chat?: ChatOptions,
): Format {
  const named = nameColumns(columns, options.columns ?? {});
  const prompt = templateOf(options, 'prompt', columns, named);
  const response = templateOf(options, 'response', columns, named);
  if (prompt !== undefined && response !== undefined) {
    const used = [...prompt.columns, ...response.columns];
    return format('template', columns, used, (record) =>
      pair(prompt.render(record), response.render(record), response.columns.join(', ')),
    );
  }
  const match = matchShape(named);
  if (match === undefined) throw unknownColumns(columns, options.columns);
  const { shape, main, context, response: answer } = match;
  const used = [main, context, answer].filter((column) => column !== undefined);
  if (shape.name === 'messages' || shape.name === 'text') {
    if (prompt !== undefined || response !== undefined) throw halfTemplate(shape.name);
  }
  if (shape.name === 'messages') {
    const toExample = chatFormatter(chat);
    return format('messages', columns, used, (record) => toExample(own(record, main), main));
  }
  if (answer === undefined) {
    return format('text', columns, used, (record) => ({
      segments: [{ text: filled(textOf(record, main), main), supervised: true }],
      chat: false,
      addEos: true,
    }));
  }
  const promptOf = (record: Row): string => {
    if (prompt !== undefined) return prompt.render(record);
    const extra = context === undefined ? '' : optionalTextOf(record, context);
    return shape.prompt?.(textOf(record, main), extra) ?? '';
  };
  const responseOf = (record: Row): string =>
    response?.render(record) ?? (shape.lead ?? '') + filled(textOf(record, answer), answer);
  const columnsUsed = [
    ...(prompt?.columns ?? used.filter((column) => column !== answer)),
    ...(response?.columns ?? [answer]),
  ];
  const separated = shape.name === 'prompt-completion' && prompt === undefined;
  return format(shape.name, columns, columnsUsed, (record) => {
    const [before, after] = [promptOf(record), responseOf(record)];
    return pair(separated ? separate(before, after) : before, after, answer);
  });
}

type Row = Record<string, unknown>;

function format(
  shape: ShapeName,
  columns: readonly string[],
  used: string[],
  toExample: (record: Row) => Example,
): Format {
  return {
    shape,
    used: [...new Set(used)],
    unused: columns.filter((column) => !used.includes(column)),
    toExample: (record) => toExample(asRow(record)),
  };
}

function pair(prompt: string, response: string, field: string): Example {
  const segments = [
    { text: prompt, supervised: false },
    { text: filled(response, field), supervised: true },
  ];
  return { segments, chat: false, addEos: true };
}

function separate(prompt: string, response: string): string {
  return prompt === '' || /\s$/.test(prompt) || /^\s/.test(response) ? prompt : `${prompt}\n`;
}

interface NamedColumns {
  mapped: Partial<Record<ColumnName, string>>;
  /** Columns that bear the name themselves. */
  found: Partial<Record<ColumnName, string>>;
}

function nameColumns(
  columns: readonly string[],
  mapping: Partial<Record<ColumnName, string>>,
): NamedColumns {
  const missing = Object.entries(mapping).find(([, column]) => !columns.includes(column));
  if (missing !== undefined) {
    const [name, column] = missing;
    throw new CfsError({
      code: 'DATASET_COLUMNS',
      message: `There is no column "${column}"; the columns are: ${columns.join(', ')}.`,
      remedy: `Correct columns.${name}.`,
      place: { field: `columns.${name}` },
    });
  }
  const found: Partial<Record<ColumnName, string>> = {};
  for (const name of columnNames) {
    const column = columns.find((candidate) => candidate.toLowerCase() === name);
    if (column !== undefined) found[name] = column;
  }
  return { mapped: mapping, found };
}

interface Match {
  shape: Shape;
  main: string;
  context: string | undefined;
  response: string | undefined;
}

/** What was mapped decides alone if it is enough; else the columns' own names help. */
function matchShape({ mapped, found }: NamedColumns): Match | undefined {
  for (const names of [mapped, { ...found, ...mapped }]) {
    for (const shape of SHAPES) {
      const pick = (options: ColumnName[] | undefined): string | undefined =>
        options?.map((name) => names[name]).find((column) => column !== undefined);
      const [main, response] = [pick(shape.main), pick(shape.response)];
      if (main === undefined || (shape.response !== undefined && response === undefined)) continue;
      return { shape, main, context: pick(shape.context), response };
    }
  }
  return undefined;
}

/**
 * What columns without a shape might be: those that say what they are keep that, of the others the
 * first are taken for what is missing. `given` is what was said of them already.
 */
export function suggestColumns(
  columns: readonly string[],
  given: DatasetFormat['columns'] = {},
): Partial<Record<ColumnName, string>> {
  const right = Object.entries(given).filter(([, column]) => columns.includes(column));
  const { found } = nameColumns(columns, {});
  const named = new Map<string, string>(Object.entries({ ...found, ...Object.fromEntries(right) }));
  const free = columns.filter((column) => ![...named.values()].includes(column));
  const share = (names: ColumnName[]): number =>
    names.filter((name) => named.has(name)).length / names.length;
  // Among equals the one that words nothing around the text.
  const isPlain = ({ name }: Shape): boolean => name === 'prompt-completion';
  const [best = []] = [...SHAPES.filter(isPlain), ...SHAPES]
    .map(({ main, response }) =>
      [main, ...(response ? [response] : [])].flatMap(
        (names) => names.find((name) => named.has(name)) ?? names.slice(0, 1),
      ),
    )
    .toSorted((a, b) => share(b) - share(a));
  const missing = best.filter((name) => !named.has(name));
  if (missing.length > free.length) return { text: columns[0] };
  return Object.fromEntries(best.map((name) => [name, named.get(name) ?? free.shift() ?? '']));
}

interface BoundTemplate {
  columns: string[];
  render(record: Row): string;
}

function templateOf(
  options: DatasetFormat,
  part: 'prompt' | 'response',
  columns: readonly string[],
  { mapped, found }: NamedColumns,
): BoundTemplate | undefined {
  const text = options.template?.[part];
  if (text === undefined) return undefined;
  const field = `template.${part}`;
  const template: RowTemplate = compileRowTemplate(text, field);
  const names = new Map<string, string | undefined>(Object.entries({ ...found, ...mapped }));
  const columnOf = (name: string): string => {
    const column = columns.includes(name) ? name : names.get(name);
    if (column !== undefined) return column;
    throw new CfsError({
      code: 'TEMPLATE_FIELD',
      message: `The template uses "${name}", which is not a column; the columns are: ${columns.join(', ')}.`,
      remedy: 'Use the names of the columns, or map a column to this name with `columns`.',
      place: { field },
    });
  };
  const required = template.required.map((name) => [name, columnOf(name)] as const);
  const optional = template.optional.map((name) => [name, columnOf(name)] as const);
  return {
    columns: [...required, ...optional].map(([, column]) => column),
    render: (record) => {
      for (const [, column] of required) present(record, column);
      const values = [...required, ...optional].map(([name, column]) => [
        name,
        own(record, column),
      ]);
      return template.render(Object.fromEntries(values) as Row);
    },
  };
}

function chatFormatter(chat: ChatOptions | undefined): (value: unknown, field: string) => Example {
  if (chat !== undefined) return createChatFormatter(chat);
  throw new CfsError({
    code: 'CHAT_TEMPLATE_MISSING',
    message: 'The rows are conversations, but the model has no chat template.',
    remedy: 'Use a model with a chat template, or rows with a prompt and a response.',
    place: { field: 'messages' },
  });
}

function asRow(record: unknown): Row {
  if (typeof record === 'object' && record !== null) return record as Row;
  throw new CfsError({
    code: 'ROW_NOT_OBJECT',
    message: 'The row is a single value, not an object with columns.',
    remedy: 'Write each row as {"prompt": "…", "completion": "…"}.',
  });
}

function present(record: Row, column: string): unknown {
  const value = own(record, column);
  if (value !== undefined && value !== null) return value;
  throw new CfsError({
    code: 'FIELD_MISSING',
    message: `The row has no "${column}".`,
    remedy: 'Add the field, or delete the row.',
    place: { field: column },
  });
}

function textOf(record: Row, column: string): string {
  const value = present(record, column);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new CfsError({
    code: 'FIELD_NOT_TEXT',
    message: `"${column}" is ${Array.isArray(value) ? 'a list' : 'an object'} where text is needed.`,
    remedy: 'Write it as text, or turn it into text with a template.',
    place: { field: column },
  });
}

function optionalTextOf(record: Row, column: string): string {
  return (own(record, column) ?? null) === null ? '' : textOf(record, column);
}

function filled(text: string, field: string): string {
  if (text.trim() !== '') return text;
  throw new CfsError({
    code: 'EMPTY_RESPONSE',
    message: 'The text to train on is empty.',
    remedy: 'Fill it in, or delete the row.',
    place: { field },
  });
}

function unknownColumns(columns: readonly string[], given: DatasetFormat['columns']): CfsError {
  const names = suggestColumns(columns, given);
  const seen = columns.length === 0 ? 'there are none' : columns.join(', ');
  return new CfsError({
    code: 'DATASET_COLUMNS',
    message: `The columns do not show which is the prompt and which the response: ${seen}.`,
    remedy:
      columns.length === 0
        ? 'Write each row as {"prompt": "…", "completion": "…"}.'
        : `Say which is which, e.g. \`columns: ${flow(names)}\`, or add a template.`,
    place: { field: 'columns' },
  });
}

/** On one line, as YAML. */
function flow(value: object): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

function halfTemplate(shape: string): CfsError {
  return new CfsError({
    code: 'TEMPLATE_HALF',
    message: `Rows of the shape "${shape}" need a template for both prompt and response.`,
    remedy: 'Set both template.prompt and template.response.',
    place: { field: 'template' },
  });
}
