/**
 * The columns that the dataset readers know by name. `run.yaml` may map each of them to another, so
 * the readers, its schema and the forms read this one list.
 */
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
