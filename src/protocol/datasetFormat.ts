/**
 * How to read the rows of a dataset: part of `run.yaml`, and what the dataset readers are told.
 */
import { z } from 'zod';

/** The columns that the readers know by name; each can be mapped to a column of the file. */
export const columnNames = [
  'messages',
  'instruction',
  'prompt',
  'question',
  'input',
  'context',
  'completion',
  'response',
  'output',
  'answer',
  'text',
] as const;
export type ColumnName = (typeof columnNames)[number];

/** The shapes of rows that the readers know; `template` is worded by the user. */
export const shapeNames = [
  'messages',
  'instruction',
  'prompt-completion',
  'question-answer',
  'text',
  'template',
] as const;
export type ShapeName = (typeof shapeNames)[number];

export const datasetFormatSchema = z.strictObject({
  columns: z
    .partialRecord(z.enum(columnNames), z.string())
    .optional()
    .describe('Known names for your columns, such as `prompt: mr`; only if theirs do not say.'),
  /** One final line break is dropped. */
  template: z
    .strictObject({
      prompt: z.string().optional().describe('The prompt, as a Jinja template over the columns.'),
      response: z
        .string()
        .optional()
        .describe('The response, as a Jinja template over the columns.'),
    })
    .optional()
    .describe('How a row becomes prompt and response, if its column names do not say.'),
  list: z.string().optional().describe('The name of the list of rows inside a JSON object.'),
});
export type DatasetFormat = z.infer<typeof datasetFormatSchema>;
