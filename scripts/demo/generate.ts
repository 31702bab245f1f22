/**
 * Writes everything under `media/demo` that is not weights: the tokenizer and config of the base
 * model, a task with its held-out items for each skill, and the downstream dataset with its task.
 * One seed, no clock, no machine: the same files byte for byte wherever it runs.
 *
 *   npx tsx scripts/demo/generate.ts
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Document, visit } from 'yaml';
import { writeFileAtomic } from '../../src/files.js';
import { createRandom } from '../../src/random.js';
import { generateCorpus } from './corpus.js';
import { downstreamRows, downstreamTask } from './downstream.js';
import { modelConfig } from './modelConfig.js';
import { skills } from './skills/index.js';
import type { SkillTask } from './skills/skill.js';
import { trainTokenizer } from './trainTokenizer.js';

export const DEMO_SEED = 1;
const TOKENIZER_DOCUMENTS = 6000;
const DOWNSTREAM_ROWS = 2000;

/** Streams of `DEMO_SEED` for draws that are not corpus documents (those have one number each). */
const DATASET_STREAM = [0, 1] as const;
const TASK_STREAM = [0, 2] as const;

/** A dataset to find and correct a mistake in; `line` counts from 1. */
export const mistake = { file: 'dataset-with-a-mistake.jsonl', rows: 200, line: 42 };

export const demoFolder = fileURLToPath(new URL('../../media/demo', import.meta.url));
/** That of the whole repository; it goes with every model that is made of the demo's. */
const license = new URL('../../LICENSE', import.meta.url);

/** Path under `media/demo` → content. */
export function demoFiles(): Map<string, string> {
  const files = new Map<string, string>();
  const texts = [...generateCorpus({ seed: DEMO_SEED, documents: TOKENIZER_DOCUMENTS })];
  const { tokenizer, config } = trainTokenizer(
    texts.map(({ text }) => text),
    modelConfig.vocab_size,
    modelConfig.max_position_embeddings,
  );
  files.set('model/LICENSE', readFileSync(license, 'utf8'));
  files.set('model/config.json', `${JSON.stringify(modelConfig, null, 2)}\n`);
  files.set('model/tokenizer.json', `${JSON.stringify(tokenizer)}\n`);
  files.set('model/tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`);

  const tasks = [...skills.map((skill) => skill.task), downstreamTask];
  for (const [i, task] of tasks.entries()) {
    files.set(`tasks/${task.name}.yaml`, taskYaml(task));
    files.set(
      `tasks/${task.name}.jsonl`,
      jsonLines(task.rows(createRandom(DEMO_SEED, ...TASK_STREAM, i))),
    );
  }
  const random = createRandom(DEMO_SEED, ...DATASET_STREAM);
  const rows = jsonLines(downstreamRows(DOWNSTREAM_ROWS, random));
  files.set('dataset.jsonl', rows);
  files.set(mistake.file, withMistake(rows));
  return files;
}

/** The first rows of the dataset, one without the quotation mark that ends its completion. */
function withMistake(text: string): string {
  const rows = text.split('\n').slice(0, mistake.rows);
  return rows
    .map((row, i) => `${i + 1 === mistake.line ? row.replace(/"}$/, '}') : row}\n`)
    .join('');
}

function taskYaml({ name, fields }: SkillTask): string {
  const task = new Document({ task: `demo_${name}`, data: `${name}.jsonl`, ...fields });
  visit(task, {
    Scalar: (_, node) => {
      // A line end stays readable as \n; every other string is quoted as the formatter wants it.
      if (typeof node.value === 'string' && node.value.includes('\n')) node.type = 'QUOTE_DOUBLE';
    },
  });
  return `# Written by scripts/demo/generate.ts\n${task.toString({ singleQuote: true })}`;
}

function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, content] of demoFiles()) writeFileAtomic(join(demoFolder, path), content);
}
