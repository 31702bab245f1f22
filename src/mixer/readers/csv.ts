/**
 * CSV and TSV with a header row, quoted as RFC 4180 says. After a broken quote nobody can know where
 * the next row begins, so that ends the reading; a row with too few or too many fields does not.
 */
import { parse, CsvError, type Info, type Parser } from 'csv-parse';
import { headerFault } from '../../columns.js';
import { CfsError, defined } from '../../errors.js';
import { readPieces, type RawRow, type RowReader } from './reader.js';

/** A record may not be longer than this many characters: a quote was left open. */
const MAX_RECORD_LENGTH = 4 * 1024 * 1024;
const WRITE_LENGTH = 1 << 16;

interface Fields {
  line: number;
  values: string[];
}

/**
 * Reads `file`; each record is an object from column to text. Throws `CSV_QUOTES` with the line
 * where the unbalanced record begins, and `CSV_HEADER`.
 */
export async function* readCsv(file: string, delimiter: ',' | '\t'): RowReader {
  let header: string[] | undefined;
  for await (const fields of readFields(file, delimiter)) {
    if (header === undefined) {
      header = checkHeader(file, fields);
      continue;
    }
    // A line of blanks is an empty line to whoever typed it.
    if (fields.values.length === 1 && fields.values[0]?.trim() === '') continue;
    yield toRow(file, header, fields);
  }
}

async function* readFields(file: string, delimiter: string): AsyncGenerator<Fields> {
  let ready: Fields[] = [];
  let next = 1;
  let emptyLines = 0;
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_LENGTH,
    // Taking the records here keeps those before an error, which a destroyed stream would drop.
    on_record: (values: string[], info: Info) => {
      // Counted here, because csv-parse's own `lines` counts a quoted \r\n twice.
      const line = next + info.empty_lines - emptyLines;
      ready.push({ line, values });
      next = line + values.join('').split('\n').length;
      emptyLines = info.empty_lines;
      return null;
    },
  });
  // The write and end callbacks report the error; without a listener it would end the process.
  parser.on('error', () => undefined);

  let failure: CfsError | undefined;
  for await (const text of blocksOf(file)) {
    failure = await write(parser, text).catch((e) => quoteError(file, e, next));
    yield* ready;
    ready = [];
    if (failure !== undefined) throw failure;
  }
  failure = await finish(parser).catch((e) => quoteError(file, e, next));
  yield* ready;
  if (failure !== undefined) throw failure;
}

async function* blocksOf(file: string): AsyncGenerator<string> {
  let block = '';
  for await (const { text } of readPieces(file)) {
    block += text;
    if (block.length < WRITE_LENGTH) continue;
    yield block;
    block = '';
  }
  if (block !== '') yield block;
}

function write(parser: Parser, text: string): Promise<undefined> {
  return new Promise((resolve, reject) => {
    parser.write(text, (error) => (error ? reject(error) : resolve(undefined)));
  });
}

function finish(parser: Parser): Promise<undefined> {
  return new Promise((resolve, reject) => {
    parser.once('error', reject);
    parser.end(() => resolve(undefined));
  });
}

function quoteError(file: string, cause: unknown, line: number): CfsError {
  if (!(cause instanceof CsvError)) throw cause;
  return new CfsError({
    code: 'CSV_QUOTES',
    message: `The quotes in the row that starts on line ${line} are not balanced.`,
    remedy: 'Close the quote; inside a quoted field, write a quote twice ("").',
    place: { file, line },
    cause,
  });
}

function checkHeader(file: string, { line, values }: Fields): string[] {
  const names = values.map((name) => name.trim());
  const fault = headerFault(names);
  if (fault === undefined) return names;
  const { message, remedy, field } = fault;
  throw new CfsError({ code: 'CSV_HEADER', message, remedy, place: { file, line, field } });
}

function toRow(file: string, header: string[], { line, values }: Fields): RawRow {
  if (values.length === header.length) {
    const record = Object.fromEntries(header.map((name, i) => [name, defined(values[i], 'field')]));
    return { line, record };
  }
  const error = new CfsError({
    code: 'CSV_ROW_WIDTH',
    message: `The row has ${values.length} fields; the header has ${header.length}.`,
    remedy: 'Add the missing fields, or quote the field that contains the separator.',
    place: { file, line },
  });
  return { line, error };
}
