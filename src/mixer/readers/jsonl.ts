/**
 * JSON Lines: one row per line. A broken line is reported with its column, and reading continues
 * with the next one, so that a user sees every broken line at once.
 */
import { jsonVerifier } from 'stream-json/utils/verifier.js';
import { CfsError, messageOf } from '../../errors.js';
import { jsonPlace, parseJson } from '../../json.js';
import { MAX_ROW_LENGTH, readPieces, rowTooLong, type RawRow, type RowReader } from './reader.js';

/** To find the place of a mistake takes longer than to read a row, so it is found for so many lines. */
const MOST_PLACES = 1000;

/** Reads `file` one line at a time; blank lines are skipped. */
export async function* readJsonl(file: string): RowReader {
  let held = '';
  let line = 1;
  let broken = 0;
  const read = (): RawRow => {
    const row = parseLine(file, line, held, broken < MOST_PLACES);
    if (row.error) broken++;
    return row;
  };
  for await (const piece of readPieces(file)) {
    line = piece.line;
    held += piece.text;
    if (held.length > MAX_ROW_LENGTH) throw rowTooLong(file, line);
    if (!piece.text.endsWith('\n')) continue;
    if (held.trim() !== '') yield read();
    held = '';
  }
  if (held.trim() !== '') yield read();
}

function parseLine(file: string, line: number, ended: string, wantsPlace: boolean): RawRow {
  const text = ended.replace(/\r?\n$/, '');
  if (!wantsPlace && isCutOff(text.trim())) return { line, error: brokenToo };
  try {
    return { line, record: parseJson(text) };
  } catch (cause) {
    if (!wantsPlace) return { line, error: brokenToo };
    const error = new CfsError({
      code: 'JSON_BROKEN',
      message: `This line is not valid JSON: ${mistake(messageOf(cause))}.`,
      remedy: 'Correct the line at this column, or delete it; each line must be one JSON object.',
      place: { file, line, column: jsonPlace(cause).column ?? errorColumn(text) },
      cause,
    });
    return { line, error };
  }
}

/** Text that begins as an object or a list and does not end as one. `JSON.parse` takes 8 µs to say so. */
function isCutOff(text: string): boolean {
  return (
    (text.startsWith('{') && !text.endsWith('}')) || (text.startsWith('[') && !text.endsWith(']'))
  );
}

/** For all lines after those whose mistakes are looked for. */
const brokenToo = new CfsError({
  code: 'JSON_BROKEN',
  message: 'This line is not valid JSON either.',
  remedy: 'Check that the file is JSON Lines: one JSON object on each line.',
});

/** V8's message in plain words where it is a common one, and without its own count of the place. */
function mistake(message: string): string {
  if (/Unterminated string/.test(message)) return 'a closing quote is missing';
  if (/Unexpected end/.test(message)) return 'it ends too early; a bracket is missing';
  if (/Expected ',' or '[}\]]'/.test(message)) return 'a comma or a closing bracket is missing';
  if (/control character/.test(message)) return 'a tab or line break must be written as \\t or \\n';
  if (/property name/.test(message)) return 'a column name must be in double quotes';
  if (/after JSON at/.test(message)) return 'there is something after its end';
  return message.replace(/ in JSON at position \d+.*$/, '');
}

/** Where the text stops being JSON, from 1 (V8's own message often does not say). */
function errorColumn(text: string): number {
  try {
    jsonVerifier()(text);
  } catch (error) {
    const { pos } = error as { pos?: unknown };
    if (typeof pos === 'number') return pos;
    throw error;
  }
  // All of it is valid as far as it goes: it ends too early.
  return text.length + 1;
}
