/**
 * One pass over the dataset files: read, find the shape, word, tokenize, and collect every
 * problem found. Validation and loading are this same pass, so what `validate` promises is what is trained.
 */
import type { ErrorCode } from '../errorCodes.js';
import { attempt, CfsError } from '../errors.js';
import type { ChatOptions } from './chat.js';
import type { TokenRow } from '../model/batch.js';
import type { DatasetFormat } from '../protocol/datasetFormat.js';
import type { DatasetReport, FileReport } from '../protocol/datasetReport.js';
import { resolveFormat, suggestColumns, type Format } from './formats.js';
import { createProblemList, type Severity } from './problems.js';
import { openRows } from './readers/open.js';
import type { RawRow } from './readers/reader.js';
import { tokenizeExample, type TokenizeOptions } from './rows.js';
import { createRowStoreBuilder, type Origin, type RowStore } from './rowStore.js';

export interface DatasetOptions extends DatasetFormat {
  /** Needed for rows that are conversations. */
  chat?: ChatOptions;
  /**
   * Called after each row with how many rows of the file were read; reading continues when its
   * promise has resolved. What it throws, other than a `CfsError`, ends the reading.
   */
  pace?: (file: string, rows: number) => Promise<void> | undefined;
}

type GoodRow = Extract<RawRow, { error?: undefined }>;

/** The shape is found from this many rows. */
const ROWS_TO_LOOK_AT = 16;

/**
 * Reads all files and gives each usable row to `take`. Without `tokenize`, rows are checked as text
 * only. What is wrong with the data never throws; it is in the report.
 */
export async function scanDataset(
  files: readonly string[],
  options: DatasetOptions,
  tokenize?: TokenizeOptions,
  take?: (row: TokenRow, origin: Origin) => void,
): Promise<DatasetReport> {
  const problems = createProblemList();
  const total = { rows: 0, kept: 0, truncated: 0 };
  const reports: FileReport[] = [];
  for (const [index, file] of files.entries()) {
    const note = (error: unknown, line?: number): void => {
      if (!(error instanceof CfsError)) throw error;
      problems.add(severityOf(error), error, file, line);
    };
    const use = ({ line, record }: GoodRow, format: Format): void => {
      try {
        const example = format.toExample(record);
        if (tokenize !== undefined) {
          const { row, cut } = tokenizeExample(example, tokenize);
          take?.(row, { file: index, line });
          if (cut > 0) note(truncation(cut, tokenize.maxLength), line);
          if (cut > 0) total.truncated++;
        }
        total.kept++;
      } catch (error) {
        note(error, line);
      }
    };
    const report = await scanFile(file, options, note, use);
    total.rows += report.rows;
    reports.push(report);
  }
  return { ...problems.summary(), files: reports, ...total };
}

async function scanFile(
  file: string,
  options: DatasetOptions,
  note: (error: unknown, line?: number) => void,
  use: (row: GoodRow, format: Format) => void,
): Promise<FileReport> {
  const report: FileReport = { file, columns: [], unusedColumns: [], rows: 0 };
  /** The rows before the shape is looked for; undefined afterwards. */
  let first: GoodRow[] | undefined = [];
  let format: Format | undefined;
  const begin = (rows: readonly GoodRow[]): void => {
    first = undefined;
    report.columns = columnsOf(rows);
    format = attempt(
      () => resolveFormat(report.columns, options, options.chat),
      (problem) => {
        note(problem);
        if (problem.code !== 'DATASET_COLUMNS' || report.columns.length === 0) return;
        report.suggestedColumns = suggestColumns(report.columns, options.columns);
      },
    );
    if (format === undefined) return;
    report.shape = format.shape;
    report.unusedColumns = format.unused;
    if (format.unused.length > 0) note(unusedColumns(report));
    for (const row of rows) use(row, format);
  };
  try {
    for await (const raw of openRows(file, options.list)) {
      report.rows++;
      if (raw.error !== undefined) note(raw.error, raw.line);
      else if (format !== undefined) use(raw, format);
      // Without a shape the rows are counted all the same, and what cannot be read is said.
      else if (first?.push(raw) === ROWS_TO_LOOK_AT) begin(first);
      const pause = options.pace?.(file, report.rows);
      if (pause !== undefined) await pause;
    }
    if (report.rows === 0) throw emptyFile();
  } catch (error) {
    note(error);
  }
  // Where reading broke off early, the rows before that may have problems of their own.
  if (first !== undefined && first.length > 0) begin(first);
  return report;
}

/** The tokenized rows of the dataset, perhaps none, with the report of everything left out. */
export async function readDataset(
  files: readonly string[],
  options: DatasetOptions,
  tokenize: TokenizeOptions,
): Promise<{ rows: RowStore; report: DatasetReport }> {
  const builder = createRowStoreBuilder();
  const report = await scanDataset(files, options, tokenize, (row, origin) =>
    builder.push(row, origin),
  );
  return { rows: builder.finish(), report };
}

/**
 * `readDataset`, which throws `DATASET_EMPTY` if no row is usable; whether other problems stop a run
 * is the caller's choice (see `requireValid`).
 */
export async function loadDataset(
  files: readonly string[],
  options: DatasetOptions,
  tokenize: TokenizeOptions,
): Promise<{ rows: RowStore; report: DatasetReport }> {
  const { rows, report } = await readDataset(files, options, tokenize);
  requireUsable(report);
  return { rows, report };
}

/** Throws `DATASET_EMPTY` if no row is usable, with the first reason. */
export function requireUsable(report: DatasetReport): void {
  if (report.kept > 0) return;
  const first = report.problems.find(({ severity }) => severity === 'error');
  const { file, line, column, field } = first ?? { file: report.files[0]?.file };
  throw new CfsError({
    code: 'DATASET_EMPTY',
    message: `No row of the dataset can be used. ${first?.message ?? ''}`.trimEnd(),
    remedy: first?.remedy ?? 'Choose a dataset whose rows fit into the maximum length.',
    place: { file, line, column, field },
  });
}

/** Throws `DATASET_INVALID` at the first error of the report, saying how many there are. */
export function requireValid(report: DatasetReport): void {
  if (report.errors === 0) return;
  const first = report.problems.find(({ severity }) => severity === 'error');
  const { file, line, column, field } = first ?? {};
  throw new CfsError({
    code: 'DATASET_INVALID',
    message: `The dataset has ${report.errors === 1 ? 'an error' : `${report.errors} errors; the first`}: ${first?.message ?? 'not listed'}`,
    remedy: first?.remedy ?? 'Validate the dataset to see them all.',
    place: { file, line, column, field },
  });
}

/** Rows that are fine but too long are not the data's fault, and columns may well be of no use. */
const WARNINGS = new Set<ErrorCode>(['RESPONSE_CUT_AWAY', 'ROW_TRUNCATED', 'COLUMNS_UNUSED']);

function severityOf(error: CfsError): Severity {
  return WARNINGS.has(error.code) ? 'warning' : 'error';
}

function columnsOf(rows: readonly GoodRow[]): string[] {
  const columns = new Set<string>();
  for (const { record } of rows) {
    if (typeof record !== 'object' || record === null) continue;
    for (const column of Object.keys(record)) columns.add(column);
  }
  return [...columns];
}

function truncation(cut: number, maxLength: number): CfsError {
  return new CfsError({
    code: 'ROW_TRUNCATED',
    message: `The row exceeds the maximum of ${maxLength} tokens by ${cut}; its end is cut off.`,
    remedy: 'Raise the maximum length if memory allows.',
  });
}

function unusedColumns({ shape, unusedColumns: names }: FileReport): CfsError {
  return new CfsError({
    code: 'COLUMNS_UNUSED',
    message: `Read as ${shape}; these columns are not used: ${names.join(', ')}.`,
    remedy: 'If one of them matters, map it with `columns` or use it in a template.',
  });
}

function emptyFile(): CfsError {
  return new CfsError({
    code: 'DATASET_EMPTY',
    message: 'The file has no rows.',
    remedy: 'Choose a file with at least one row.',
  });
}
