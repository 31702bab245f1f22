/**
 * Where each sample of a `samples.jsonl` is, so that of a file of a hundred MB only the lines
 * that someone looks at are read again: a page gets a summary of every sample and asks for the
 * tokens of the few it shows.
 */
import { CfsError, messageOf } from '../errors.js';
import { isSystemError, readError } from '../files.js';
import { parseJson } from '../json.js';
import type { SampleTokens } from '../protocol/inspector.js';
import { openFileAsync } from '../reading.js';
import { sampleRecordSchema, type SampleRecord } from '../protocol/records.js';
import type { LinePlace } from './tail.js';

/** By the number of the sample. */
export type SampleIndex = Map<number, LinePlace>;

/**
 * The tokens of the asked samples, in the order asked; those that the index does not know are left
 * out. Throws `RECORD_BROKEN` when the file no longer holds the sample at its place, and
 * `READ_FAILED`.
 */
export async function readSampleTokens(
  file: string,
  index: SampleIndex,
  wanted: readonly number[],
): Promise<SampleTokens[]> {
  const places = wanted.flatMap((number) => {
    const place = index.get(number);
    return place === undefined ? [] : [{ number, place }];
  });
  if (places.length === 0) return [];
  const handle = await openFileAsync(file).catch((error: unknown) => {
    throw readError(file, error);
  });
  try {
    const found: SampleTokens[] = [];
    for (const { number, place } of places) {
      const bytes = Buffer.alloc(place.length);
      const { bytesRead } = await handle.read(bytes, 0, place.length, place.start);
      const { pieces, logprobs } = parse(bytes.toString('utf8', 0, bytesRead), number, file);
      found.push({ index: number, pieces, logprobs });
    }
    return found;
  } catch (error) {
    throw isSystemError(error) ? readError(file, error) : error;
  } finally {
    await handle.close();
  }
}

function parse(line: string, number: number, file: string): SampleRecord {
  let why = `it is not sample ${number}`;
  try {
    const record = sampleRecordSchema.parse(parseJson(line));
    if (record.index === number) return record;
  } catch (error) {
    why = messageOf(error);
  }
  throw new CfsError({
    code: 'RECORD_BROKEN',
    message: `A sample is no longer where it was written: ${why}.`,
    remedy: 'Select the run again; if that does not help, the file was edited by hand.',
    place: { file },
  });
}
