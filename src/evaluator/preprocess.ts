/** Rules that some tasks apply to their items before any template, chosen by name. */
import { z } from 'zod';
import { CfsError } from '../errors.js';
import type { Document } from './documents.js';
import type { TaskDefinition } from './taskSchema.js';

type PreprocessName = NonNullable<TaskDefinition['preprocess']>;

const hellaswagSchema = z.object({
  activity_label: z.string(),
  ctx_a: z.string(),
  ctx_b: z.string(),
  endings: z.array(z.string()),
});

/** The item with the fields that the rule adds. Throws `TASK_DATA_INVALID`. */
export function preprocessDocument(name: PreprocessName, document: Document): Document {
  switch (name) {
    case 'hellaswag':
      return hellaswag(document);
  }
}

/** Adds `query` and `choices` (lm-evaluation-harness, `hellaswag/utils.py`). */
function hellaswag(document: Document): Document {
  const parsed = hellaswagSchema.safeParse(document);
  if (!parsed.success) {
    throw new CfsError({
      code: 'TASK_DATA_INVALID',
      message: `The item is not HellaSwag's: ${z.prettifyError(parsed.error)}`,
      remedy: 'Use the original HellaSwag files, or a task file without preprocess.',
      place: { field: 'preprocess' },
    });
  }
  const { activity_label, ctx_a, ctx_b, endings } = parsed.data;
  const query = cleanHellaswag(`${activity_label}: ${ctx_a} ${capitalize(ctx_b)}`);
  return { ...document, query, choices: endings.map(cleanHellaswag) };
}

function cleanHellaswag(text: string): string {
  return text
    .trim()
    .replaceAll(' [title]', '. ')
    .replace(/\[.*?\]/g, '')
    .replaceAll('  ', ' ');
}

/** Python's `str.capitalize`: the first character upper case, all others lower case. */
function capitalize(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}
