/**
 * The items of a task, read from a local file: JSONL, JSON, CSV or plain text. Task data is small
 * (thousands of items) and is held in memory; every error names file and line.
 */
import { CsvError, parse as parseCsv } from 'csv-parse/sync';
import { z } from 'zod';
import { headerFault } from '../columns.js';
import { CfsError, messageOf, type Place } from '../errors.js';
import { jsonPlace, parseJson } from '../json.js';
import { anyNames } from '../own.js';
import { readTextFile } from '../reading.js';
import { splitAt } from './patterns.js';

/** One item with its fields, as the file has it. */
export type Document = Record<string, unknown>;

const documentSchema = anyNames(z.unknown());

/**
 * Reads the items of `file` by its extension: `.jsonl` one object per line, `.json` a list of
 * objects, `.csv` a header and rows, anything else plain text whose pieces become `{ text }`. Text
 * is split at `separator`; without one at `<|endoftext|>` if the file has it, else at line ends.
 * Throws `TASK_DATA_INVALID`.
 */
export function readDocuments(file: string, separator?: string): Document[] {
  const text = readText(file);
  const extension = /\.[^./\\]+$/.exec(file)?.[0].toLowerCase();
  const documents =
    extension === '.jsonl'
      ? readJsonLines(file, text)
      : extension === '.json'
        ? readJson(file, text)
        : extension === '.csv'
          ? readCsv(file, text)
          : splitText(text, separator);
  if (documents.length > 0) return documents;
  throw invalid(file, 'The file holds no items.', 'Choose a file with at least one item.');
}

/** The lines of a text file, without the empty end. Throws `TASK_DATA_INVALID`. */
export function readLines(file: string): string[] {
  return readText(file)
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
}

function readText(file: string): string {
  try {
    return readTextFile(file).replace(/^\uFEFF/, '');
  } catch (error) {
    throw new CfsError({
      code: 'TASK_DATA_INVALID',
      message: `Could not read the task's data: ${messageOf(error)}.`,
      remedy: 'Check the path; it is relative to the task file.',
      place: { file },
      cause: error,
    });
  }
}

function readJsonLines(file: string, text: string): Document[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line, number: i + 1 }));
  return lines
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, number }) => toDocument(file, parse(file, line, number), number));
}

function readJson(file: string, text: string): Document[] {
  const list = z.array(z.unknown()).safeParse(parse(file, text));
  if (!list.success) {
    throw invalid(file, 'The file is not a list.', 'Write the items as one JSON list of objects.');
  }
  return list.data.map((item) => toDocument(file, item));
}

function readCsv(file: string, text: string): Document[] {
  let records: string[][];
  try {
    records = parseCsv(text, { skip_empty_lines: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid(file, error.message, 'Check the quotes and the number of columns of this row.');
  }
  const [header = [], ...rows] = records;
  const fault = headerFault(header);
  if (fault) throw invalid(file, fault.message, fault.remedy, { line: 1, field: fault.field });
  return rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i]])));
}

function splitText(text: string, separator: string | undefined): Document[] {
  const usual = text.includes('<|endoftext|>') ? '<|endoftext|>' : /\r?\n/;
  const pieces = separator === undefined ? text.split(usual) : splitAt(separator, text);
  return pieces
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '')
    .map((piece) => ({ text: piece }));
}

function parse(file: string, text: string, line?: number): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const place = { ...jsonPlace(error), ...(line !== undefined && { line }) };
    throw invalid(file, messageOf(error), 'Correct the JSON at this place.', place);
  }
}

function toDocument(file: string, value: unknown, line?: number): Document {
  const parsed = documentSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(file, 'An item is not an object.', 'Write each item as { "field": value, … }.', {
    line,
  });
}

function invalid(
  file: string,
  message: string,
  remedy: string,
  place: Omit<Place, 'file'> = {},
): CfsError {
  return new CfsError({ code: 'TASK_DATA_INVALID', message, remedy, place: { file, ...place } });
}
