/**
 * What every dataset reader gives, and the one place that turns a file into text. Files are read in
 * small pieces, so that a dataset of any size costs the memory of one row.
 */
import { CfsError, messageOf } from '../../errors.js';
import { own } from '../../own.js';
import { openFileAsync } from '../../reading.js';

/** One row as it is in the file, or why that row could not be read (the others still can). */
export type RawRow =
  { line: number; record: unknown; error?: undefined } | { line: number; error: CfsError };

/** Rows in file order, `line` counting from 1 where the row begins. Throws when nothing more can be read. */
export type RowReader = AsyncIterable<RawRow>;

/** Part of one line of a file; the last part of a line ends with `\n` (unless the file ends). */
export interface Piece {
  line: number;
  text: string;
}

/** One row may not be longer than this many characters: beyond it a quote or a break is missing. */
export const MAX_ROW_LENGTH = 64 * 1024 * 1024;

/**
 * The text of a UTF-8 file, line by line; long lines come in several pieces. A byte order mark is
 * left out. Throws `DATASET_UNREADABLE` and `DATASET_NOT_UTF8`.
 */
export async function* readPieces(file: string): AsyncGenerator<Piece> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  const decode = (bytes: Uint8Array, stream: boolean): string => {
    try {
      return decoder.decode(bytes, { stream });
    } catch (cause) {
      throw new CfsError({
        code: 'DATASET_NOT_UTF8',
        message: 'The file contains bytes that are not UTF-8 text.',
        remedy: 'Save the file as UTF-8 and try again.',
        place: { file, line },
        cause,
      });
    }
  };
  for await (const chunk of readBytes(file)) {
    for (let start = 0; start < chunk.length;) {
      const newline = chunk.indexOf(10, start);
      const end = newline < 0 ? chunk.length : newline + 1;
      const text = decode(chunk.subarray(start, end), true);
      if (text !== '') yield { line, text };
      if (newline >= 0) line++;
      start = end;
    }
  }
  decode(new Uint8Array(), false);
}

export function rowTooLong(file: string, line: number): CfsError {
  return new CfsError({
    code: 'DATASET_ROW_TOO_LONG',
    message: `The row on line ${line} is longer than ${MAX_ROW_LENGTH} characters.`,
    remedy:
      'Put one row on each line of a .jsonl file, or make a .json file a list of shorter rows.',
    place: { file, line },
  });
}

async function* readBytes(file: string): AsyncGenerator<Buffer> {
  try {
    const handle = await openFileAsync(file);
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 18 })) {
      yield chunk as Buffer;
    }
  } catch (cause) {
    throw readError(file, cause);
  }
}

function readError(file: string, cause: unknown): CfsError {
  const remedies: Record<string, string> = {
    ENOENT: 'Check the path.',
    EISDIR: 'Choose a file of rows.',
    ENOTFILE: 'Choose a file of rows.',
    EACCES: 'Change the permissions of the file so that you can read it.',
  };
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  return new CfsError({
    code: 'DATASET_UNREADABLE',
    message: `Could not read the dataset: ${messageOf(cause)}.`,
    remedy: own(remedies, code) ?? 'Check that the disk is connected and the file can be read.',
    place: { file },
    cause,
  });
}
