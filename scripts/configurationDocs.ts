/**
 * Writes `docs/configuration.md` from the schema that checks `run.yaml`, so that the page cannot say
 * anything else: `npm run docs`.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { writeFileAtomic } from '../src/files.js';
import { runConfigSchema } from '../src/runs/configSchema.js';

const nodeSchema = z.looseObject({
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  type: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  required: z.array(z.string()).optional(),
  label: z.string().optional(),
  mayChange: z.enum(['always', 'until-training']).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.looseObject({ type: z.string().optional() })).optional(),
  propertyNames: z.looseObject({ enum: z.array(z.unknown()).optional() }).optional(),
});
type Node = z.infer<typeof nodeSchema>;

export const configurationFile = fileURLToPath(
  new URL('../docs/configuration.md', import.meta.url),
);

/** What `run.yaml` may say of data; the test of this page parses it. */
export const dataExample = `model: models/my-llama

dataset:
  - tickets.jsonl # a path alone: its columns are prompt and completion
  - path: restaurants.csv
    columns: { prompt: mr, response: ref } # its columns are mr and ref
  - path: articles.json
    list: rows # {"rows": [{"body": "…", "summary": "…"}, …]}
    template:
      prompt: 'Summarize: {{ body }}'
      response: ' {{ summary }}'

evaluation:
  downstream: held-out.jsonl
  tasks: [tasks/capitals.yaml] # says \`data: capitals.jsonl\`, which is tasks/capitals.jsonl
`;

/** The page as Markdown. */
export function configurationPage(): string {
  const schema = nodeSchema.parse(z.toJSONSchema(runConfigSchema, { io: 'input' }));
  const sections = Object.entries(schema.properties ?? {}).map(([name, value]) => ({
    name,
    node: nodeSchema.parse(value),
  }));
  const plain = sections.filter(({ node }) => !node.properties);
  const groups = sections.filter(({ node }) => node.properties);
  const lists = fieldsWithEntries(sections);
  return [
    '# run.yaml',
    'Written by `npm run docs` from the schema that checks the file. Paths are relative to the file. A run that has started is not resumed with other files or settings than it began with, with two exceptions: fields marked ↻ may be changed whenever it is stopped, fields marked ⇥ until it begins to train, for instance after reading its samples.',
    table(plain.map(({ name, node }) => row(name, node, schema.required))),
    ...lists.flatMap(({ names, entry }) => [
      `## ${entry.label ?? ''}`,
      `${entry.description ?? ''} Entries of ${names.map(code).join(' and ')} have these fields; a path alone stands for an entry that has only that.`,
      table(rowsOf(entry)),
    ]),
    'The data of a task is named in its own file, by `data`, relative to that file: see [evaluation.md](evaluation.md#a-task-file).',
    ['```yaml', dataExample.trimEnd(), '```'].join('\n'),
    ...groups.flatMap(({ name, node }) => [
      `## ${name}`,
      node.description ?? '',
      table(
        Object.entries(node.properties ?? {}).map(([field, value]) =>
          row(`${name}.${field}`, nodeSchema.parse(value), []),
        ),
      ),
    ]),
    '',
  ].join('\n\n');
}

interface Section {
  name: string;
  node: Node;
}

/** The lists of objects, those with the same kind of entries together. */
function fieldsWithEntries(sections: Section[]): { names: string[]; entry: Node }[] {
  const found = new Map<string, { names: string[]; entry: Node }>();
  const visit = (name: string, node: Node): void => {
    const entry = nodeSchema.safeParse(node.items).data;
    if (entry?.properties) {
      const key = JSON.stringify(entry);
      found.set(key, { names: [...(found.get(key)?.names ?? []), name], entry });
    }
    for (const [inner, value] of Object.entries(node.properties ?? {})) {
      visit(`${name}.${inner}`, nodeSchema.parse(value));
    }
  };
  for (const { name, node } of sections) visit(name, node);
  return [...found.values()];
}

/** The fields of an entry, and those inside them. */
function rowsOf({ properties, required }: Node, prefix = ''): string[] {
  return Object.entries(properties ?? {}).flatMap(([name, value]) => {
    const node = nodeSchema.parse(value);
    return node.properties
      ? rowsOf(node, `${prefix}${name}.`)
      : [row(`${prefix}${name}`, node, required?.includes(name) ? [`${prefix}${name}`] : [])];
  });
}

function row(name: string, node: Node, required: string[] = []): string {
  const standard = required.includes(name) ? 'required' : code(node.default);
  const about = (node.description ?? '').replaceAll('\n', '<br>').replaceAll('|', '\\|');
  const marks = { always: ' ↻', 'until-training': ' ⇥' };
  const mark = node.mayChange === undefined ? '' : marks[node.mayChange];
  return `| \`${name}\` | ${kind(node)} | ${standard} | ${about}${mark} |`;
}

function table(rows: string[]): string {
  return ['| field | value | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function kind(node: Node): string {
  if (node.enum) return node.enum.map(code).join(', ');
  if (node.propertyNames?.enum) {
    return `a column for any of ${node.propertyNames.enum.map(code).join(', ')}`;
  }
  if (node.anyOf) return node.anyOf.map(({ type }) => type ?? '').join(' or ');
  const entry = nodeSchema.safeParse(node.items).data;
  if (entry)
    return entry.label === undefined ? 'list of paths' : `list of ${entry.label.toLowerCase()}s`;
  const limits = [
    node.minimum === undefined ? '' : `≥ ${node.minimum}`,
    node.exclusiveMinimum === undefined ? '' : `> ${node.exclusiveMinimum}`,
    node.exclusiveMaximum === undefined ? '' : `< ${node.exclusiveMaximum}`,
    node.maximum === undefined || node.maximum >= 2 ** 32 - 1 ? '' : `≤ ${node.maximum}`,
  ].filter((limit) => limit !== '');
  return [node.type ?? '', ...limits].join(' ').trim();
}

function code(value: unknown): string {
  return value === undefined ? '' : `\`${JSON.stringify(value).replaceAll('"', '')}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileAtomic(configurationFile, configurationPage());
}
