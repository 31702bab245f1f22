/**
 * What a task file may say. A task is data: everything that distinguishes one benchmark from another is
 * in its YAML, and this schema is the door through which it comes in. `docs/evaluation.md` explains
 * each field to the user.
 */
import { z } from 'zod';
import { anyNames } from '../own.js';
import { metricNames } from '../protocol/metrics.js';
import { metricsOf } from './metrics.js';
import { compilePattern, PatternFault } from './patterns.js';
import { taskKinds, type TaskKind } from './taskKinds.js';

const pattern = z.string().superRefine((text, context) => {
  try {
    compilePattern(text);
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const metricName = z
  .enum(metricNames, `must be one of ${metricNames.join(', ')}, or exact_match with its options`)
  .transform((name) => ({ metric: name, ignore: noIgnoring }));

const exactMatch = z
  .strictObject({
    metric: z.literal('exact_match'),
    ignore_case: z.boolean().default(false),
    regexes_to_ignore: z.array(pattern).default([]),
  })
  .transform(({ metric: name, ignore_case, regexes_to_ignore }) => ({
    metric: name,
    ignore: { case: ignore_case, patterns: regexes_to_ignore },
  }));

/** Not a union, which would not say what is wrong inside. */
const metric = z.unknown().transform((value, context) => {
  const isObject = typeof value === 'object' && value !== null;
  const parsed = (isObject ? exactMatch : metricName).safeParse(value);
  if (parsed.success) return parsed.data;
  for (const { message, path } of parsed.error.issues) {
    context.addIssue({ code: 'custom', message, path });
  }
  return z.NEVER;
});

const noIgnoring: { case: boolean; patterns: string[] } = { case: false, patterns: [] };

const filterStep = z.discriminatedUnion('function', [
  z.strictObject({
    function: z.literal('regex'),
    regex_pattern: pattern,
    /** Which match: 0 the first, −1 the last. */
    group_select: z.int().default(0),
    fallback: z.string().default('[invalid]'),
  }),
  z.strictObject({ function: z.literal('strip') }),
  z.strictObject({ function: z.literal('take_first') }),
]);

const filter = z.strictObject({ name: z.string().min(1), steps: z.array(filterStep).min(1) });

export const taskSchema = z
  .strictObject({
    task: z.string().min(1),
    kind: z.enum(taskKinds),
    data: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
    line_files: anyNames(z.string()).default({}),
    separator: pattern.optional(),
    preprocess: z.enum(['hellaswag']).optional(),
    description: z.string().default(''),
    fewshot: z.string().optional(),
    num_fewshot: z.int().min(0).default(0),
    fewshot_delimiter: z.string().default('\n\n'),
    doc_to_text: z.string().default(''),
    doc_to_choice: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
    doc_to_target: z.union([z.string().min(1), z.int().min(0)]),
    per_choice_context: z.string().min(1).optional(),
    target_delimiter: z.string().default(' '),
    metrics: z.array(metric).min(1),
    filters: z.array(filter).default([]),
    generation: z
      .strictObject({
        until: z.array(z.string().min(1)).default([]),
        max_tokens: z.int().min(1).default(256),
      })
      .optional(),
  })
  .superRefine((task, context) => {
    const report = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    const only = (kind: TaskKind, field: 'filters' | 'generation' | 'per_choice_context'): void => {
      const value = task[field];
      const given = Array.isArray(value) ? value.length > 0 : value !== undefined;
      if (given && task.kind !== kind) report(field, `belongs to kind ${kind} only`);
    };
    only('generate_until', 'filters');
    only('generate_until', 'generation');
    only('multiple_choice', 'per_choice_context');
    if (task.kind === 'multiple_choice' && task.doc_to_choice === undefined) {
      report('doc_to_choice', 'is required for kind multiple_choice');
    }
    if (task.kind !== 'multiple_choice' && task.doc_to_choice !== undefined) {
      report('doc_to_choice', 'belongs to kind multiple_choice only');
    }
    if (task.kind !== 'multiple_choice' && typeof task.doc_to_target === 'number') {
      report('doc_to_target', `must be a field name or a template for kind ${task.kind}`);
    }
    if (task.kind === 'loglikelihood_rolling' && task.doc_to_text !== '') {
      report('doc_to_text', 'must be empty for kind loglikelihood_rolling: the text is the target');
    }
    const wantsFewshot = task.num_fewshot > 0;
    if (wantsFewshot && task.fewshot === undefined) {
      report('fewshot', 'is required when num_fewshot is above 0');
    }
    if (wantsFewshot && task.kind === 'loglikelihood_rolling') {
      report('num_fewshot', 'has no meaning for kind loglikelihood_rolling');
    }
    if (wantsFewshot && task.per_choice_context !== undefined) {
      report('num_fewshot', 'cannot be combined with per_choice_context');
    }
    const possible = metricsOf(task.kind);
    for (const [i, { metric: name }] of task.metrics.entries()) {
      if (possible.includes(name)) continue;
      context.addIssue({
        code: 'custom',
        path: ['metrics', i],
        message: `${name} is not measured by kind ${task.kind} (${possible.join(', ')} are)`,
      });
    }
  });

/** A checked task file, defaults filled in. Field names are the YAML's own. */
export type TaskDefinition = z.output<typeof taskSchema>;

export type FilterStep = z.output<typeof filterStep>;
export type FilterDefinition = z.output<typeof filter>;
export type MetricChoice = TaskDefinition['metrics'][number];
