/**
 * Chooses the reader from the file's ending, so that a user only names a file.
 */
import { basename, extname } from 'node:path';
import { CfsError } from '../../errors.js';
import { JsonFault, parseJson } from '../../json.js';
import { readCsv } from './csv.js';
import { readJson } from './json.js';
import { readJsonl } from './jsonl.js';
import { readPieces, type RowReader } from './reader.js';

/**
 * The rows of a dataset file: `.jsonl`, `.ndjson`, `.json`, `.csv` or `.tsv`. A `.json` file whose
 * first line is a whole object followed by more is read as JSON Lines, as many tools write it.
 * `list` names the list inside a JSON object. Throws `DATASET_FORMAT` for any other ending.
 */
export async function* openRows(file: string, list?: string): RowReader {
  yield* await chooseReader(file, list);
}

async function chooseReader(file: string, list: string | undefined): Promise<RowReader> {
  switch (extname(file).toLowerCase()) {
    case '.jsonl':
    case '.ndjson':
      return readJsonl(file);
    case '.json':
      return (await isJsonLines(file)) ? readJsonl(file) : readJson(file, list);
    case '.csv':
      return readCsv(file, ',');
    case '.tsv':
      return readCsv(file, '\t');
    default:
      throw new CfsError({
        code: 'DATASET_FORMAT',
        message: `${basename(file)} is not in a dataset format that CFS Studio reads.`,
        remedy: 'Choose a .jsonl, .json, .csv or .tsv file.',
        place: { file },
      });
  }
}

const LONGEST_FIRST_LINE = 1 << 22;

async function isJsonLines(file: string): Promise<boolean> {
  let first = '';
  let firstLine: number | undefined;
  for await (const { line, text } of readPieces(file)) {
    if (text.trim() === '' && firstLine !== line) continue;
    firstLine ??= line;
    if (line !== firstLine) return isObject(first);
    first += text;
    if (!first.trimStart().startsWith('{') || first.length > LONGEST_FIRST_LINE) return false;
  }
  return false;
}

function isObject(text: string): boolean {
  try {
    return typeof parseJson(text) === 'object';
  } catch (error) {
    // It is JSON; the reader says what is wrong with it.
    return error instanceof JsonFault;
  }
}
