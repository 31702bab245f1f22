/**
 * The contract between the host and the preview process, which looks at models and datasets without
 * running anything. It is a process of its own, since reading 200,000 rows would hold up the editor,
 * and it stays alive while a page is open, so that moving a setting does not read them again.
 */
import { z } from 'zod';
import { errorRecordSchema } from './records.js';
import type { Contract } from './rpc.js';

const count = z.int().nonnegative();

export const problemSchema = z.object({
  severity: z.enum(['error', 'warning']),
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
  file: z.string(),
  /** From 1. Missing when the problem is the whole file's. */
  line: count.optional(),
  column: count.optional(),
  field: z.string().optional(),
});
export type DatasetProblem = z.infer<typeof problemSchema>;

export const datasetReportSchema = z.object({
  /** The first problems, in reading order; see `counts` for how many there are. */
  problems: z.array(problemSchema),
  counts: z.record(z.string(), count),
  errors: count,
  warnings: count,
  files: z.array(
    z.object({
      file: z.string(),
      shape: z.string().optional(),
      columns: z.array(z.string()),
      unusedColumns: z.array(z.string()),
      rows: count,
    }),
  ),
  /** Rows read, broken ones included; those that are trained on; those that lost their end. */
  rows: count,
  kept: count,
  truncated: count,
});
export type DatasetReportData = z.infer<typeof datasetReportSchema>;

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
export const estimateSchema = z.object({
  provider: z.string(),
  /** Seconds by phase, and in all. */
  seconds: z.object({
    generating: z.number(),
    training: z.number(),
    evaluating: z.number(),
    total: z.number(),
  }),
  /** Bytes at the highest moment, and what there is. */
  memory: z.object({
    needed: z.number(),
    available: z.number(),
    /** What `needed` consists of, in bytes. */
    parts: z.record(z.string(), z.number()),
  }),
  /** Bytes that checkpoints and model will take on the disk, and what is free there. */
  disk: z.object({ needed: z.number(), available: z.number() }),
  verdict: z.enum(['fits', 'tight', 'too-large']),
  /** One sentence: why, and what to change where it does not fit. */
  reason: z.string(),
});
export type Estimate = z.infer<typeof estimateSchema>;

const startTokenSchema = z.object({ id: count, token: z.string(), reason: z.string() });

export const modelFactsSchema = z.object({
  folder: z.string(),
  architecture: z.string(),
  parameters: count,
  layers: count,
  vocabulary: count,
  contextLength: count,
  hasChatTemplate: z.boolean(),
  /** The start token, and what else could be one. */
  bos: startTokenSchema.extend({ candidates: z.array(startTokenSchema) }),
});
export type ModelFacts = z.infer<typeof modelFactsSchema>;

export const doctorSchema = z.object({
  versions: z.record(z.string(), z.string()),
  system: z.object({
    platform: z.string(),
    cpu: z.string(),
    cores: count,
    memory: z.number(),
    freeMemory: z.number(),
  }),
  providers: z.array(
    z.object({
      name: z.string(),
      works: z.boolean(),
      chosen: z.boolean(),
      milliseconds: z.number().optional(),
      reason: z.string().optional(),
      remedy: z.string().optional(),
    }),
  ),
});
export type DoctorReport = z.infer<typeof doctorSchema>;

/** A run configuration as plain data, paths absolute; checked again by the receiver's schema. */
export const configDataSchema = z.record(z.string(), z.unknown());

export const previewDataSchema = z.object({
  model: modelFactsSchema,
  dataset: datasetReportSchema,
  /** Absent when the dataset has no usable row. */
  mix: mixPreviewSchema.optional(),
  estimate: estimateSchema.optional(),
  /** Why mix or estimate are missing though there are rows: a task file that is broken, say. */
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
    doctor: { params: z.object({}), result: doctorSchema },
  },
  events: {
    /** Rows of the dataset read so far. */
    reading: z.object({ file: z.string(), rows: count }),
  },
} satisfies Contract;
export type PreviewContract = typeof previewContract;

/** What the host answers and tells the preview process: nothing. */
export const previewHostContract = { requests: {}, events: {} } satisfies Contract;
