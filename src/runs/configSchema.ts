/**
 * The fields of `run.yaml`: types, limits, defaults and a sentence for each. The parser, the
 * comments of a written file and the form of the mix page are all drawn from this one schema, so a
 * field is added here and nowhere else.
 */
import { z } from 'zod';
import type { FieldHints } from '../protocol/form.js';
import { datasetFormatSchema } from '../protocol/datasetFormat.js';
import { methodNames, methods } from '../methods/index.js';
import { providerChoices } from '../protocol/providers.js';
import { bestByNames, mixModes, scheduleNames } from '../protocol/settings.js';

/** Metadata travels into the JSON Schema of a field, where the form reads it. */
const form = (hints: FieldHints): FieldHints => hints;

/** Of the fields that say how long a run trains. */
const lengthChanged = 'From here on, the learning rate follows the new number of steps.';

const path = z.string().min(1, 'must not be empty');
const positive = z.int().min(1);
const share = z.number().min(0).max(1);

const sourceSchema = z
  .strictObject({
    path: path
      .describe('A JSONL, JSON, CSV or TSV file.')
      .meta(form({ label: 'File', pick: 'file', basic: true })),
    ...datasetFormatSchema.shape,
  })
  .describe('A file of rows, and how to read them.')
  .meta(form({ label: 'Source' }));

/** A path, a source, or a list of either, as a list of sources. */
function asSources(value: unknown): unknown {
  if (value === undefined || value === null) return value;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((entry) => (typeof entry === 'string' ? { path: entry } : entry));
}

const sources = z.preprocess(asSources, z.array(sourceSchema).min(1, 'must name a file'));

const generationSchema = z.strictObject({
  budget: z
    .number()
    .gt(0)
    .default(0.1)
    .describe('Samples to generate, as a fraction of the dataset rows (0.1 = 10 %).')
    .meta(form({ basic: true, label: 'Generation budget', unit: '× rows', replacedBy: 'count' })),
  count: positive
    .optional()
    .describe('Number of samples to generate; replaces the budget.')
    .meta(form({ label: 'Number of samples', unit: 'samples' })),
  temperature: z
    .number()
    .gt(0)
    .default(1)
    .describe('Divides the logits; 1 samples from the model as it is.')
    .meta(
      form({
        basic: true,
        hint: 'Below 1, samples are more predictable and repeat more; above 1, they are more random.',
      }),
    ),
  topK: positive.optional().describe('Draw only from the k most likely tokens.'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Draw only from the most likely tokens that together reach this probability.'),
  maxLength: positive
    .default(256)
    .describe('Maximum sample length, in tokens.')
    .meta(form({ label: 'Maximum sample length', unit: 'tokens' })),
  stopAtEos: z
    .boolean()
    .default(true)
    .describe('End a sample at the EOS token; otherwise continue to the maximum length.'),
  batchSize: positive
    .default(32)
    .describe('Samples generated in parallel.')
    .meta(form({ mayChange: 'always', unit: 'samples' })),
  bos: z
    .union([z.int().nonnegative(), z.string().min(1)])
    .optional()
    .describe('The BOS token, as text or id; found in the model folder if omitted.')
    .meta(
      form({
        label: 'BOS token',
        hint: 'The start token, as text or id; found in the model folder if left empty.',
      }),
    ),
  checkBos: z
    .boolean()
    .default(true)
    .describe('Compare the samples with some from other tokens that could be the BOS token.')
    .meta(form({ mayChange: 'always', label: 'Check the BOS token' })),
});

const mixSchema = z.strictObject({
  lambda: z
    .number()
    .nonnegative()
    .default(1)
    .describe('Weight of the loss on context-free samples: L = L_SFT + lambda · L_CFS.')
    .meta(
      form({
        mayChange: 'until-training',
        basic: true,
        label: 'Lambda (λ)',
        hint: '1: samples count as much as your rows; 0.5: half as much; 0: not at all.',
      }),
    ),
  mode: z
    .enum(mixModes)
    .default('per-batch')
    .describe('per-batch: every batch holds rows and samples; shuffled: all are shuffled together.')
    .meta(form({ mayChange: 'until-training' })),
  cfsShare: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe('Fraction of each batch that is samples; proportional if omitted.')
    .meta(form({ mayChange: 'until-training', label: 'Share of samples', unit: '× batch' })),
});

const trainingSchema = z.strictObject({
  learningRate: z
    .number()
    .gt(0)
    .default(5e-6)
    .describe('Peak learning rate.')
    .meta(
      form({
        mayChange: 'until-training',
        basic: true,
        hint: 'How far each step moves the weights; if too high, the model forgets more.',
      }),
    ),
  epochs: z
    .number()
    .gt(0)
    .default(1)
    .describe('Passes over the dataset.')
    .meta(
      form({
        mayChange: 'always',
        whenChanged: lengthChanged,
        basic: true,
        unit: 'passes',
        replacedBy: 'steps',
      }),
    ),
  steps: positive
    .optional()
    .describe('Optimizer steps; replaces the epochs.')
    .meta(form({ mayChange: 'always', whenChanged: lengthChanged, unit: 'steps' })),
  batchRows: positive
    .default(16)
    .describe('Rows per optimizer step, samples included.')
    .meta(form({ mayChange: 'until-training', label: 'Rows per batch', unit: 'rows' })),
  maxLength: positive
    .default(512)
    .describe('Maximum row length, in tokens; longer rows are truncated.')
    .meta(form({ label: 'Maximum row length', unit: 'tokens' })),
  maxTokensPerMicroBatch: positive
    .default(2048)
    .describe('Maximum number of tokens processed at once; limits the memory needed.')
    .meta(form({ mayChange: 'always', label: 'Tokens per micro-batch', unit: 'tokens' })),
  warmup: share
    .default(0.03)
    .describe('Fraction of the steps over which the learning rate rises.')
    .meta(form({ mayChange: 'until-training', label: 'Warm-up', unit: '× steps' })),
  schedule: z
    .enum(scheduleNames)
    .default('cosine')
    .describe('How the learning rate falls after the warm-up.')
    .meta(form({ mayChange: 'until-training' })),
  weightDecay: z
    .number()
    .nonnegative()
    .default(0)
    .describe('Decoupled weight decay of AdamW.')
    .meta(form({ mayChange: 'until-training' })),
  beta1: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .describe('Decay of the first moment of AdamW.')
    .meta(form({ mayChange: 'until-training' })),
  beta2: z
    .number()
    .min(0)
    .lt(1)
    .default(0.999)
    .describe('Decay of the second moment of AdamW.')
    .meta(form({ mayChange: 'until-training' })),
  epsilon: z
    .number()
    .gt(0)
    .default(1e-8)
    .describe('Added to the denominator of AdamW.')
    .meta(form({ mayChange: 'until-training' })),
  clipNorm: z
    .number()
    .gt(0)
    .default(1)
    .describe('Maximum global L2 norm of the gradient.')
    .meta(form({ mayChange: 'until-training', label: 'Gradient clipping' })),
  lossChunks: positive
    .optional()
    .describe('Chunks in which the loss is computed; depends on the vocabulary size if omitted.')
    .meta(form({ mayChange: 'always' })),
  checkpointEvery: positive
    .default(200)
    .describe('Steps between checkpoints.')
    .meta(form({ mayChange: 'always', unit: 'steps' })),
  keepCheckpoints: positive
    .default(2)
    .describe('Latest checkpoints to keep, in addition to the best.')
    .meta(form({ mayChange: 'always', unit: 'checkpoints' })),
});

const evaluationSchema = z.strictObject({
  tasks: z
    .array(path)
    .default([])
    .describe(
      'Task files (YAML) of pre-existing tasks, whose scores are tracked; each names its `data`.',
    )
    .meta(
      form({
        mayChange: 'until-training',
        basic: true,
        pick: 'files',
        label: 'Pre-existing tasks',
        hint: 'What the model can already do and should still be able to do afterwards.',
      }),
    ),
  every: z
    .int()
    .nonnegative()
    .default(100)
    .describe('Steps between evaluations; 0: only before and after training.')
    .meta(form({ mayChange: 'until-training', label: 'Evaluate every', unit: 'steps' })),
  subset: positive
    .default(100)
    .describe('Items per task in the evaluations during training.')
    .meta(form({ mayChange: 'until-training', label: 'Items during training', unit: 'items' })),
  klSamples: z
    .int()
    .nonnegative()
    .default(32)
    .describe('Context-free samples for the KL estimate, not used for training; 0: no estimate.')
    .meta(form({ mayChange: 'until-training', label: 'KL samples', unit: 'samples' })),
  full: z
    .boolean()
    .default(true)
    .describe('Score all items of each task before and after training.')
    .meta(form({ mayChange: 'until-training', label: 'Full evaluation' })),
  downstream: sources
    .optional()
    .describe('Held-out rows: a path, a source, or a list of both, as in `dataset`.')
    .meta(
      form({
        basic: true,
        pick: 'files',
        label: 'Held-out rows',
        hint: 'Rows not used for training, to measure how well the new task is learned.',
      }),
    ),
  holdOut: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      'Fraction of the dataset rows (at most 500 rows) held out of training for the downstream ' +
        'score, if `downstream` names no file.',
    )
    .meta(
      form({
        basic: true,
        label: 'Hold out',
        unit: '× rows',
        replacedBy: 'downstream',
        hint: 'Holds out some rows of the dataset if you have no separate file of held-out rows.',
      }),
    ),
  bestBy: z
    .enum(bestByNames)
    .default('last')
    .describe('Which checkpoint is saved as the model: the last, or the best by this measure.')
    .meta(form({ mayChange: 'until-training', label: 'Best checkpoint by' })),
});

const methodChoices = Object.fromEntries(
  methods.map(({ name, label, about }) => [name, { label, about }]),
);

/** The fields that belong to a single method: one section per method, of its name. */
function methodSections(): object {
  return Object.fromEntries(
    methods.flatMap(({ name, label, settings }) => {
      if (settings.own === undefined) return [];
      const section = settings.own.prefault({}).describe(`Settings of the method ${name}.`);
      return [[name, section.meta(form({ label }))]];
    }),
  );
}

export const runConfigSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .default('fine-tune')
      .describe('Display name.')
      .meta(form({ mayChange: 'always', basic: true })),
    model: path.describe('The base model: a Hugging Face folder.').meta(
      form({
        basic: true,
        pick: 'folder',
        label: 'Base model',
        hint: 'A folder with config.json, tokenizer.json and .safetensors files.',
      }),
    ),
    dataset: sources.describe('The downstream dataset: a path, a source, or a list of both.').meta(
      form({
        basic: true,
        pick: 'files',
        hint: 'Your examples of the new task: JSONL, JSON or CSV, one example per row.',
      }),
    ),
    method: z
      .enum(methodNames)
      .default('cfs')
      .describe(methods.map(({ name, about }) => `${name}: ${about}`).join('\n'))
      .meta(form({ basic: true, choices: methodChoices })),
    seed: z.int().min(0).max(0xffffffff).default(0).describe('Random seed.'),
    provider: z
      .enum(providerChoices)
      .default('auto')
      .describe('Hardware to use; auto: the fastest that works.')
      .meta(form({ mayChange: 'always' })),
    threads: positive
      .optional()
      .describe('CPU threads; all cores if omitted.')
      .meta(form({ mayChange: 'always', unit: 'threads' })),
    generation: generationSchema
      .prefault({})
      .describe('Context-free samples from the base model.')
      .meta(form({ label: 'Context-free samples' })),
    mix: mixSchema.prefault({}).describe('How dataset rows and samples are mixed in training.'),
    training: trainingSchema.prefault({}).describe('The optimizer and its schedule.'),
    evaluation: evaluationSchema
      .prefault({})
      .describe('What is measured, and how often.')
      .meta(form({ label: 'Evaluation' })),
    ...methodSections(),
  })
  .check(({ value, issues }) => {
    const { bestBy, downstream, holdOut, tasks, klSamples, every } = value.evaluation;
    const refuse = (field: string, message: string): void => {
      issues.push({ code: 'custom', path: ['evaluation', field], message, input: value });
    };
    if (bestBy === 'downstream' && downstream === undefined && holdOut === 0) {
      refuse('bestBy', '`downstream` needs `evaluation.downstream` or `evaluation.holdOut`');
    }
    if (bestBy === 'tasks' && tasks.length === 0) refuse('bestBy', '`tasks` needs a task');
    if (bestBy === 'kl' && klSamples === 0) refuse('bestBy', '`kl` needs `klSamples` above 0');
    if (bestBy !== 'last' && every === 0) refuse('every', `must be above 0 for bestBy ${bestBy}`);
  });

/** A whole configuration, defaults filled in; all paths absolute. */
export type RunConfig = z.output<typeof runConfigSchema>;
export type DatasetSource = z.output<typeof sourceSchema>;
