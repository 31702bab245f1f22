/**
 * Everything on disk that the UI, the terminal and the report read: the lines of `events.jsonl` and
 * `samples.jsonl`, and `results.json`. The run folder is the single source of truth, so these
 * schemas are the contract between the process that runs a job and everyone who looks at it.
 *
 * JSON has no NaN and no infinity: `JSON.stringify` writes them as null, so a measured number that
 * may be non-finite is `number | null`, and null means “not a finite number” or “not measured”.
 */
import { z } from 'zod';

const measured = z.number().nullable();
const count = z.int().nonnegative();
/** When it happened, ISO 8601 in UTC. */
const time = z.iso.datetime();
/** Optimizer steps done when it happened. */
const step = count;

/** A `CfsError` as data. Its code is any text, since another version may have written it. */
export const errorRecordSchema = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
  place: z.object({
    file: z.string().optional(),
    line: z.int().optional(),
    column: z.int().optional(),
    field: z.string().optional(),
    setting: z.string().optional(),
  }),
});
export type ErrorRecord = z.infer<typeof errorRecordSchema>;

/** One metric of one task at one moment. */
const taskScoreSchema = z.object({
  task: z.string(),
  metric: z.string(),
  higherIsBetter: z.boolean(),
  score: measured,
  /** Standard error of `score`. */
  stderr: measured,
  /** Items scored. */
  n: count,
  /** Score now − score of the base model on the same items. */
  change: measured.optional(),
});
export type TaskScore = z.infer<typeof taskScoreSchema>;

/** An estimate of KL(base ‖ fine-tuned) on context-free samples, in nats per sample. */
const klSchema = z.object({ mean: measured, stderr: measured, samples: count });
export type KlEstimate = z.infer<typeof klSchema>;

/** The token that begins a text. */
export const bosTokenSchema = z.object({
  id: count,
  token: z.string(),
  /** Where it was found, in words. */
  reason: z.string(),
});
export type BosToken = z.infer<typeof bosTokenSchema>;

/** Whether samples read like a text's beginning, beside those of other BOS tokens. */
export const samplesVerdictSchema = z.object({
  coherent: z.boolean(),
  /** One sentence with the numbers that decided. */
  reason: z.string(),
  /** A BOS token whose samples are clearly better. */
  betterTokenId: count.optional(),
});
export type SamplesVerdict = z.infer<typeof samplesVerdictSchema>;

const spreadSchema = z.object({
  mean: measured,
  min: measured,
  q25: measured,
  median: measured,
  q75: measured,
  max: measured,
});
export type Spread = z.infer<typeof spreadSchema>;

/** Numbers about a whole set of samples. */
export const setDiagnosticsSchema = z.object({
  samples: count,
  tokens: count,
  /** exp(−mean log-probability over all tokens of the set). */
  perplexity: measured,
  /** Distinct n-grams over all n-grams of the set. */
  distinct1: measured,
  distinct2: measured,
  distinct3: measured,
  /** Samples whose tokens equal an earlier sample's. */
  exactDuplicates: count,
  /** Samples whose text equals an earlier one's but for case, punctuation and spaces. */
  nearDuplicates: count,
  /** Entropy of the set's token frequencies, in nats. */
  tokenEntropy: measured,
  /** Share of samples that ended with an EOS token. */
  stoppedByEos: measured,
  /** Each per-sample number over the set. */
  perSample: z.record(z.string(), spreadSchema),
  verdict: samplesVerdictSchema.optional(),
});
export type SetDiagnostics = z.infer<typeof setDiagnosticsSchema>;

export const phases = [
  'loading',
  'preparing',
  'starting',
  'generating',
  'training',
  'evaluating',
  'saving',
] as const;
export type Phase = (typeof phases)[number];

/** The version of the records that are written now. */
export const recordFormat = 2;

/** Steps of the first format had a field for each of the two sources that there were. */
const firstStepSchema = z.looseObject({
  type: z.literal('train_step'),
  sftLoss: measured,
  cfsLoss: measured,
});

function upgradeEvent(value: unknown): unknown {
  const first = firstStepSchema.safeParse(value);
  if (!first.success) return value;
  const { sftLoss, cfsLoss, ...event } = first.data;
  return { ...event, losses: { dataset: sftLoss, cfs: cfsLoss } };
}

const currentEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run_started'),
    time,
    /** The step the run starts from: 0, or that of the checkpoint it resumes. */
    step,
    /** The provider that was chosen, e.g. `cpu`. */
    provider: z.string(),
    versions: z.record(z.string(), z.string()),
    /** Version of the records of this run; absent before the second. */
    format: z.int().optional(),
    /** What a measurement says of the memory that the process is given; see `src/allocator.ts`. */
    allocator: z
      .object({ asked: z.boolean(), faultsPerMiB: z.number(), cheap: z.boolean() })
      .optional(),
  }),
  z.object({
    type: z.literal('phase'),
    time,
    phase: z.enum(phases),
    /** Units of work done and in all (steps, samples, items); total 0 when it is not known. */
    progress: count,
    total: count,
  }),
  z.object({
    type: z.literal('sample_progress'),
    time,
    /** Samples done and in all. */
    samples: count,
    total: count,
    /** Written in this session, also of samples that have not ended yet. */
    tokens: count,
    /** Null while they cannot be told: the first run of a session says nothing of the next. */
    tokensPerSecond: measured,
    secondsLeft: measured,
  }),
  bosTokenSchema.extend({ type: z.literal('bos_found'), time }),
  samplesVerdictSchema.extend({ type: z.literal('samples_judged'), time }),
  z.object({
    type: z.literal('samples_described'),
    time,
    /** Numbers about the whole set, once it is complete. */
    diagnostics: setDiagnosticsSchema,
  }),
  z.object({
    type: z.literal('samples_chosen'),
    time,
    /** Written when training begins: numbers of the samples that people excluded until then. */
    excluded: z.array(count),
  }),
  z.object({
    type: z.literal('train_step'),
    time,
    step,
    /** What is minimised, nats. */
    loss: measured,
    /** Its mean over the supervised tokens of each source; null where the step held none of them. */
    losses: z.record(z.string(), measured),
    learningRate: z.number(),
    /** Global L2 norm before clipping. */
    gradNorm: measured,
    /** Tokens of the step, padding not counted. */
    tokens: count,
    /** Null after the first step of a session, which makes sessions and touches memory first. */
    tokensPerSecond: measured,
    secondsLeft: measured,
    /** True when loss or gradient was not finite and the weights were left as they were. */
    skipped: z.boolean().optional(),
  }),
  z.object({
    type: z.literal('evaluation'),
    time,
    step,
    /** `subset`: the small fixed part used for the curves; `full`: before and after. */
    kind: z.enum(['subset', 'full']),
    tasks: z.array(taskScoreSchema),
    kl: klSchema.optional(),
    /** The user's own held-out rows. */
    downstream: taskScoreSchema.optional(),
  }),
  z.object({
    type: z.literal('checkpoint'),
    time,
    step,
    /** Relative to the run folder. */
    path: z.string(),
    best: z.boolean(),
  }),
  z.object({
    type: z.literal('warning'),
    time,
    /** `note`: it only says what is so, and nothing needs to be done. */
    level: z.literal('note').optional(),
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
  }),
  z.object({ type: z.literal('run_finished'), time, step }),
  z.object({ type: z.literal('run_stopped'), time, step }),
  z.object({ type: z.literal('run_failed'), time, step, error: errorRecordSchema }),
]);
export type RunEvent = z.infer<typeof currentEventSchema>;

/** An event of any version's run. */
export const runEventSchema = z.preprocess(upgradeEvent, currentEventSchema);
export type RunEventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

/** One line of `samples.jsonl`: one context-free sample. */
export const sampleRecordSchema = z
  .object({
    /** Number of the sample in its set, from 0; with the run's seed it decides every token. */
    index: count,
    /** The BOS token it was prompted with; not part of `tokens`. */
    bosId: count,
    /** The EOS token, where one was drawn, is the last. */
    tokens: z.array(count),
    text: z.string(),
    /** The text of each token by itself, for showing them one by one. */
    pieces: z.array(z.string()),
    /** log p(token | what came before) of the base model at T = 1, in nats. */
    logprobs: z.array(z.number()),
    /** Mean entropy of the next-token distributions the tokens came from, in nats. */
    entropy: measured,
    stop: z.enum(['eos', 'length']),
  })
  .refine(
    ({ tokens, pieces, logprobs }) =>
      pieces.length === tokens.length && logprobs.length === tokens.length,
    { error: 'tokens, pieces and logprobs have different lengths' },
  );
export type SampleRecord = z.infer<typeof sampleRecordSchema>;

const scoreEstimate = z.object({ score: measured, stderr: measured });

/** One metric of one task, before and after. */
const taskResultSchema = z.object({
  task: z.string(),
  metric: z.string(),
  higherIsBetter: z.boolean(),
  n: count,
  base: scoreEstimate,
  final: scoreEstimate,
  /** final − base. */
  change: measured,
  /** 95 % bootstrap interval of `change`; absent where there were too few items. */
  interval: z.tuple([z.number(), z.number()]).optional(),
  /** Items answered rightly by one model and wrongly by the other; absent for graded metrics. */
  rightToWrong: count.optional(),
  wrongToRight: count.optional(),
});
export type TaskResult = z.infer<typeof taskResultSchema>;

/** Over the tasks of one unit (fractions, nats, …), which do not add up with others. */
const forgettingSummarySchema = z.object({
  unit: z.string(),
  tasks: count,
  /** Mean over the tasks; positive is worse. */
  averageForgetting: measured,
  /** The task forgotten most. */
  worst: z.object({ task: z.string(), forgetting: measured }),
});
export type ForgettingSummary = z.infer<typeof forgettingSummarySchema>;

/** `results.json`. */
export const runResultsSchema = z.object({
  /** Its name; perhaps one of another version. */
  method: z.string(),
  /** Steps trained, and the step whose weights were saved. */
  steps: count,
  savedStep: count,
  provider: z.string(),
  tasks: z.array(taskResultSchema),
  downstream: taskResultSchema.optional(),
  /** One for each unit. */
  forgetting: z.array(forgettingSummarySchema),
  kl: klSchema.optional(),
  samples: setDiagnosticsSchema.optional(),
  /** Seconds by phase, and `total`; earlier versions counted the last session alone. */
  timings: z.record(z.string(), z.number()),
  versions: z.record(z.string(), z.string()),
});
export type RunResults = z.infer<typeof runResultsSchema>;

/** `excluded.json`: the samples that people took out of the mix, by their numbers, rising. */
export const excludedSamplesSchema = z.object({ excluded: z.array(count) });

const itemAnswerSchema = z.object({
  correct: z.boolean(),
  /** What the model chose or wrote. */
  answer: z.string(),
});

/**
 * One line of `items.jsonl`: an item of a task that has right and wrong answers, answered by the
 * base model and by the fine-tuned one.
 */
export const itemRecordSchema = z.object({
  task: z.string(),
  metric: z.string(),
  /** The item's name in its task. */
  id: z.string(),
  prompt: z.string(),
  /** The right answer. */
  expected: z.string(),
  base: itemAnswerSchema,
  final: itemAnswerSchema,
});
export type ItemRecord = z.infer<typeof itemRecordSchema>;
