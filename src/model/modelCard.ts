/**
 * The README.md of a saved model: what it was made from and how, in the form that model hubs read
 * (YAML front matter, then Markdown).
 */
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { markdownCode, markdownText } from '../text.js';

/** One line of the results: a task's score before and after fine-tuning. */
export interface CardResult {
  task: string;
  metric: string;
  before: number;
  after: number;
}

export interface CardContent {
  /** Hub name or folder of the base model; of a folder only its last part is told. */
  baseModel: string;
  /** How it was trained, e.g. `cfs`. */
  method: string;
  settings: Record<string, unknown>;
  results?: readonly CardResult[];
}

/** The tag by which a folder is known to be written by this program. */
export const cardTag = 'cfs-studio';

/** The model card as Markdown. */
export function modelCard({ baseModel, method, settings, results = [] }: CardContent): string {
  const isHubName = /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(baseModel);
  const name = isHubName ? baseModel : basename(baseModel);
  const frontMatter = stringify({
    ...(isHubName ? { base_model: baseModel } : {}),
    library_name: 'transformers',
    pipeline_tag: 'text-generation',
    tags: [cardTag],
  });
  const sections = [
    `---\n${frontMatter}---`,
    `# ${markdownText(name)}, fine-tuned`,
    `Fine-tuned from ${markdownCode(name)} with CFS Studio, method ${markdownCode(method)}.`,
    '## Settings',
    table(['setting', 'value'], Object.entries(settings)),
  ];
  if (results.length > 0) {
    const rows = results.map(({ task, metric, before, after }) => [task, metric, before, after]);
    sections.push('## Results', table(['task', 'metric', 'base model', 'this model'], rows));
  }
  return `${sections.join('\n\n')}\n`;
}

function table(head: string[], rows: readonly (readonly unknown[])[]): string {
  const line = (cells: readonly unknown[]): string => `| ${cells.map(cellText).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cellText(value: unknown): string {
  return markdownText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
}
