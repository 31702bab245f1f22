/**
 * The contract between the host and the preview process, which looks at models, datasets and samples
 * without running anything. It is a process of its own, since reading 200,000 rows would hold up the
 * editor, and it stays alive while a page is open, so that moving a setting does not read them again.
 */
import { z } from 'zod';
import { datasetReportSchema } from './datasetReport.js';
import { sampleSummarySchema, sampleTokensSchema } from './inspector.js';
import { doctorReportSchema } from './providers.js';
import { bosTokenSchema, errorRecordSchema } from './records.js';
import type { Contract } from './rpc.js';

const count = z.int().nonnegative();

/** One source of the mix; see `sourceRoles.ts`. */
export const sourcePreviewSchema = z.object({
  id: z.string(),
  role: z.string(),
  rows: count,
  /** Tokens of those rows, and the supervised ones among them; expected values when planned. */
  tokens: count,
  supervisedTokens: count,
  longest: count,
  rowsPerEpoch: count,
  /** True for rows that are not made yet. */
  planned: z.boolean(),
});
export type SourcePreview = z.infer<typeof sourcePreviewSchema>;

export const mixPreviewSchema = z.object({
  /** The dataset first. */
  sources: z.array(sourcePreviewSchema),
  stepsPerEpoch: z.number(),
  steps: count,
  epochs: z.number(),
  /** Dataset rows read but not trained on, and rows that lost their end. */
  leftOut: count,
  truncated: count,
  /** The first batch of the first epoch; of a very large one, the rows that can be shown. */
  batch: z.array(
    z.object({
      /** The id of its source. */
      source: z.string(),
      /** Index among the rows of its source. */
      row: count,
      /** Where it was read; missing for samples. */
      origin: z.object({ file: count, line: count }).optional(),
      /** Empty for a row that is not made yet. */
      tokens: z.array(z.object({ text: z.string(), supervised: z.boolean() })),
    }),
  ),
});
export type MixPreview = z.infer<typeof mixPreviewSchema>;

/** What a run will cost on this machine, before it runs. All of it is estimated. */
const runEstimateSchema = z.object({
  provider: z.string(),
  /** Seconds by phase, and in all. */
  seconds: z.object({
    /** From the command to the first piece of work: the model, the rows, the weights. */
    starting: z.number(),
    generating: z.number(),
    training: z.number(),
    evaluating: z.number(),
    saving: z.number(),
    total: z.number(),
  }),
  /** Bytes at the highest moment, and what there is. */
  memory: z.object({
    needed: z.number(),
    available: z.number(),
    /** What `needed` consists of, in bytes. */
    parts: z.record(z.string(), z.number()),
  }),
  /** The same for a GPU's own memory; `available` is absent where nothing tells it. */
  deviceMemory: z
    .object({
      needed: z.number(),
      available: z.number().optional(),
      parts: z.record(z.string(), z.number()),
    })
    .optional(),
  /** Bytes that checkpoints and model will take on the disk, and what is free there. */
  disk: z.object({ needed: z.number(), available: z.number() }),
  verdict: z.enum(['fits', 'tight', 'too-large']),
  /** One sentence: why, and what to change where it does not fit. */
  reason: z.string(),
});
export type RunEstimate = z.infer<typeof runEstimateSchema>;

/** Something that is known about a run before it runs, at the field that it belongs to. */
export const findingRecordSchema = z.object({
  /** `error`: the run would fail. */
  severity: z.enum(['error', 'warning']),
  /** A field of `run.yaml`, dotted, as in `evaluation.tasks[1]`. */
  field: z.string(),
  error: errorRecordSchema,
});
export type FindingRecord = z.infer<typeof findingRecordSchema>;

const modelFactsSchema = z.object({
  folder: z.string(),
  architecture: z.string(),
  parameters: count,
  layers: count,
  vocabulary: count,
  contextLength: count,
  hasChatTemplate: z.boolean(),
  /** The BOS token, and what else could be one. */
  bos: bosTokenSchema.extend({ candidates: z.array(bosTokenSchema) }),
});
export type ModelFacts = z.infer<typeof modelFactsSchema>;

/** A run configuration as plain data, paths absolute; checked again by the receiver's schema. */
export const configDataSchema = z.record(z.string(), z.unknown());

export const previewDataSchema = z.object({
  model: modelFactsSchema,
  dataset: datasetReportSchema,
  /** What is wrong besides the dataset, and what is worth knowing, all at once. */
  findings: z.array(findingRecordSchema),
  /** Absent when the dataset has no usable row. */
  mix: mixPreviewSchema.optional(),
  estimate: runEstimateSchema.optional(),
  /** The first error of the findings: why mix or estimate are missing, where they are. */
  problem: errorRecordSchema.optional(),
});
export type PreviewData = z.infer<typeof previewDataSchema>;

/** What the preview process answers and tells. */
export const previewContract = {
  requests: {
    describeModel: {
      params: z.object({ folder: z.string(), bos: z.union([z.int(), z.string()]).optional() }),
      result: modelFactsSchema,
    },
    /** Checks files as text: for that no model is needed. */
    validateDataset: {
      params: z.object({ files: z.array(z.string()).min(1) }),
      result: datasetReportSchema,
    },
    /** A newer `preview` makes an older one fail with `PREVIEW_SUPERSEDED`. */
    preview: {
      params: z.object({
        config: configDataSchema,
        /** Where run folders are made, for the space on that disk; else the dataset's folder. */
        folder: z.string().optional(),
      }),
      result: previewDataSchema,
    },
    /** Writes the report of a run into its folder, from the run's own data. */
    drawReport: { params: z.object({ folder: z.string() }), result: z.object({}) },
    doctor: { params: z.object({}), result: doctorReportSchema },
    /**
     * `samples` follow as events while the file is written, in place of those of another file; of
     * none where no file is named.
     */
    followSamples: { params: z.object({ file: z.string().optional() }), result: z.object({}) },
    /** Of the file that is followed; samples that it does not hold are left out. */
    sampleTokens: {
      params: z.object({ file: z.string(), indices: z.array(count) }),
      result: z.object({ samples: z.array(sampleTokensSchema) }),
    },
  },
  events: {
    /** Rows of the dataset read so far. */
    reading: z.object({ file: z.string(), rows: count }),
    /** More samples of the file that is followed; with `first`, those told before are dropped. */
    samples: z.object({
      file: z.string(),
      first: z.boolean(),
      samples: z.array(sampleSummarySchema),
    }),
  },
} satisfies Contract;
export type PreviewContract = typeof previewContract;

/** What the host answers and tells the preview process: nothing. */
export const previewHostContract = { requests: {}, events: {} } satisfies Contract;
