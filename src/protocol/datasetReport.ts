/**
 * What was found when a dataset was read: everything wrong with it at once, and what can be trained
 * on.
 */
import { z } from 'zod';
import { columnNames, shapeNames } from './datasetFormat.js';

const count = z.int().nonnegative();

const datasetProblemSchema = z.object({
  /** `error`: the row (or file) cannot be used; `warning`: usable, or left out on purpose. */
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
export type DatasetProblem = z.infer<typeof datasetProblemSchema>;

const fileReportSchema = z.object({
  file: z.string(),
  /** Missing when the file could not be read that far. */
  shape: z.enum(shapeNames).optional(),
  columns: z.array(z.string()),
  /** Known names for some of them, where the columns do not show what they are: a guess. */
  suggestedColumns: z.partialRecord(z.enum(columnNames), z.string()).optional(),
  /** Columns that are not used; they reveal a wrong guess of the shape. */
  unusedColumns: z.array(z.string()),
  rows: count,
});
export type FileReport = z.infer<typeof fileReportSchema>;

export const datasetReportSchema = z.object({
  /** The first problems, in reading order; see `counts` for how many there are. */
  problems: z.array(datasetProblemSchema),
  /** How many there are of each code, those not listed included. */
  counts: z.record(z.string(), count),
  errors: count,
  warnings: count,
  files: z.array(fileReportSchema),
  /** Rows read, broken ones included. */
  rows: count,
  /** Rows that are trained on. */
  kept: count,
  /** Kept rows that lost their end. */
  truncated: count,
});
export type DatasetReport = z.infer<typeof datasetReportSchema>;
