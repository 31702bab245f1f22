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
  mayChange: z.enum(['always', 'until-training']).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});
type Node = z.infer<typeof nodeSchema>;

export const configurationFile = fileURLToPath(
  new URL('../docs/configuration.md', import.meta.url),
);

/** The page as Markdown. */
export function configurationPage(): string {
  const schema = nodeSchema.parse(z.toJSONSchema(runConfigSchema, { io: 'input' }));
  const sections = Object.entries(schema.properties ?? {}).map(([name, value]) => ({
    name,
    node: nodeSchema.parse(value),
  }));
  const plain = sections.filter(({ node }) => !node.properties);
  const groups = sections.filter(({ node }) => node.properties);
  return [
    '# run.yaml',
    'Written by `npm run docs` from the schema that checks the file. Paths are relative to the file. A run that has started is not resumed with other files or settings than it began with, with two exceptions: fields marked ↻ may be changed whenever it is stopped, fields marked ⇥ until it begins to train, for instance after reading its samples.',
    table(plain.map(({ name, node }) => row(name, node, schema.required))),
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
