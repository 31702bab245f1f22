/**
 * A JSON file that is one list of rows, or an object holding such a list under a name. The list is
 * never in memory as a whole: stream-json's tokens are assembled row by row. They carry no places,
 * so the text is fed line by line and a row's line is the one that gave its first token.
 */
import { Assembler } from 'stream-json/core/assembler.js';
import { jsonParser, type Token } from 'stream-json/core/parser.js';
import verifyFile from 'stream-json/file/verifier.js';
import { CfsError, messageOf } from '../../errors.js';
import { deepestJson, repeatedKey, tooDeep } from '../../json.js';
import { MAX_ROW_LENGTH, readPieces, rowTooLong, type RowReader } from './reader.js';

/**
 * Reads the rows of the list that is the whole file, or of the one named `list` in its top object.
 * Throws `JSON_BROKEN` with line and column, and `JSON_NOT_A_LIST` with the lists there are.
 */
export async function* readJson(file: string, list?: string): RowReader {
  const parse = jsonParser({ streamValues: false });
  const walk = createListWalk(list);
  /** Characters since a row, or any value between rows, was complete. */
  let pending = 0;
  for await (const { line, text } of readPieces(file)) {
    const tokens = tokensOf(parse, text) ?? (await refused(file));
    pending += text.length;
    for (const token of tokens) {
      const row = walk.take(token);
      if (walk.depth() > deepestJson) throw broken(file, tooDeep, { line });
      if (row !== undefined) yield { line: row.started ?? line, record: row.value };
      if (!walk.inRow()) pending = 0;
      walk.noteLine(line);
    }
    if (pending > MAX_ROW_LENGTH) throw rowTooLong(file, walk.rowLine() ?? line);
    const repeated = walk.repeated();
    if (repeated !== undefined) throw broken(file, repeatedKey(repeated), { line });
  }
  if (!walk.closed()) await verify(file);
  if (!walk.found()) throw notAList(file, list, walk.lists());
}

/** The tokens of the next text, or nothing where it stops being JSON. */
function tokensOf(parse: ReturnType<typeof jsonParser>, text: string): Token[] | undefined {
  try {
    const tokens = parse(text);
    return typeof tokens === 'symbol' ? [] : tokens.values;
  } catch {
    // The parser does not say where; the verifier reads the file again and does.
    return undefined;
  }
}

/** Follows the tokens to the wanted list and assembles its rows one at a time. */
function createListWalk(list: string | undefined) {
  const lists: string[] = [];
  const wantedDepth = list === undefined ? 1 : 2;
  let depth = 0;
  let key = '';
  let inList = false;
  let found = false;
  let closed = false;
  let row: { assembler: Assembler; started: number | undefined } | undefined;
  let repeated: string | undefined;

  const take = (token: Token): { value: unknown; started: number | undefined } | undefined => {
    const endsList = inList && row === undefined && token.name === 'endArray';
    if (inList && !endsList) {
      row ??= { assembler: new Assembler(), started: undefined };
      const { current } = row.assembler as { current: unknown };
      if (token.name === 'keyValue' && isObject(current) && Object.hasOwn(current, token.value)) {
        repeated ??= token.value;
      }
      row.assembler.consume(token);
      if (!row.assembler.done) return undefined;
      const finished = { value: row.assembler.current, started: row.started };
      row = undefined;
      return finished;
    }
    if (endsList) inList = false;
    if (token.name === 'keyValue' && depth === 1) key = token.value;
    if (token.name === 'startArray' || token.name === 'startObject') {
      depth++;
      if (token.name === 'startArray' && depth === 2) lists.push(key);
      inList =
        token.name === 'startArray' &&
        depth === wantedDepth &&
        (list === undefined || key === list);
      found ||= inList;
    }
    if (token.name === 'endArray' || token.name === 'endObject') closed = --depth === 0;
    return undefined;
  };
  return {
    take,
    noteLine: (line: number) => {
      if (row !== undefined) row.started ??= line;
    },
    /** Levels of the whole file. */
    depth: () => depth + (row?.assembler.depth ?? 0),
    inRow: () => row !== undefined,
    rowLine: () => row?.started,
    /** A key that an object of a row had already. */
    repeated: () => repeated,
    found: () => found,
    closed: () => closed,
    lists: () => lists,
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function broken(
  file: string,
  why: string,
  place: { line?: number | undefined; column?: number | undefined },
  cause?: unknown,
): CfsError {
  return new CfsError({
    code: 'JSON_BROKEN',
    message: `The file is not valid JSON: ${why}.`,
    remedy:
      'Correct the file at this place; a file with one row per line (.jsonl) is easier to fix.',
    place: { file, ...place },
    cause,
  });
}

/** Throws `JSON_BROKEN` with the place where `file` stops being JSON, if it does. */
async function verify(file: string): Promise<void> {
  try {
    await verifyFile(file);
  } catch (cause) {
    const { line, pos } = cause as { line?: number; pos?: number };
    throw broken(file, messageOf(cause), { line, column: pos }, cause);
  }
}

async function refused(file: string): Promise<never> {
  await verify(file);
  throw new Error(`Internal error: the parser refused ${file} and the verifier accepted it`);
}

function notAList(file: string, list: string | undefined, lists: string[]): CfsError {
  const seen = lists.length === 0 ? 'It has no lists.' : `Its lists are: ${lists.join(', ')}.`;
  return new CfsError({
    code: 'JSON_NOT_A_LIST',
    message:
      list === undefined
        ? `The file is not a list of rows. ${seen}`
        : `The file has no list named "${list}". ${seen}`,
    remedy: 'Use a JSON array of objects, or name the list to read with `list`.',
    place: { file, field: list },
  });
}
