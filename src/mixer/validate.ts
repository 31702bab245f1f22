/**
 * Validation: everything wrong with a dataset at once, without keeping a row of it.
 */
import { scanDataset, type DatasetOptions, type DatasetReport } from './dataset.js';
import type { TokenizeOptions } from './rows.js';

export interface ValidateOptions extends DatasetOptions {
  /** With it, rows that are too long are found as well. */
  tokenize?: TokenizeOptions;
}

export interface ValidationReport extends DatasetReport {
  /** Only with `tokenize`: tokens of the rows kept, those trained on, and the longest row's. */
  tokens?: { total: number; trained: number; longest: number };
}

/** All problems of the files and what would be trained on. Never throws for what the data holds. */
export async function validateDataset(
  files: readonly string[],
  { tokenize, ...options }: ValidateOptions = {},
): Promise<ValidationReport> {
  const tokens = { total: 0, trained: 0, longest: 0 };
  const report = await scanDataset(files, options, tokenize, ({ ids, supervised }) => {
    tokens.total += ids.length;
    tokens.trained += supervised.reduce((sum, mark) => sum + mark, 0);
    tokens.longest = Math.max(tokens.longest, ids.length);
  });
  return tokenize === undefined ? report : { ...report, tokens };
}
