/**
 * The samples that people took out of the mix after reading them. They can change their minds until
 * training begins; from then on the run's log says which samples were used.
 */
import { CfsError, messageOf } from '../errors.js';
import { isSystemError, readError, writeFileAtomic } from '../files.js';
import { jsonPlace, parseJson } from '../json.js';
import { excludedSamplesSchema } from '../protocol/records.js';
import { readTextFile } from '../reading.js';
import { readEvents, type RunFolder } from './runFolder.js';

/**
 * Numbers of the excluded samples, rising. The file has no seal: people may write it by hand. Throws
 * `RECORD_BROKEN` and `READ_FAILED`.
 */
export function readExclusions(run: RunFolder): number[] {
  const file = run.paths.excluded;
  try {
    const parsed = excludedSamplesSchema.safeParse(parseJson(readTextFile(file)));
    if (parsed.success) return rising(parsed.data.excluded);
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join('.') || undefined;
    throw notAList({ file, field }, `${issue?.message ?? 'unknown shape'}.`);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    if (isSystemError(error)) throw readError(file, error);
    if (error instanceof CfsError) throw error;
    throw notAList({ file, ...jsonPlace(error) }, `${messageOf(error)}.`, error);
  }
}

function notAList(place: CfsError['place'], why: string, cause?: unknown): CfsError {
  return new CfsError({
    code: 'RECORD_BROKEN',
    message: `This is not a list of excluded samples that CFS Studio wrote: ${why}`,
    remedy: 'Delete the file, and exclude the samples again.',
    place,
    cause,
  });
}

/** Replaces the list. Throws `SAMPLES_SETTLED` once training has begun, and `WRITE_FAILED`. */
export function writeExclusions(run: RunFolder, indices: Iterable<number>): void {
  const settled = readEvents(run).some(
    ({ type }) => type === 'samples_chosen' || type === 'train_step',
  );
  if (settled) {
    throw new CfsError({
      code: 'SAMPLES_SETTLED',
      message: 'This run has started training, so the samples it uses can no longer be changed.',
      remedy: 'Start a new run, and exclude the samples before it trains.',
      place: { file: run.folder },
    });
  }
  const excluded = rising(indices);
  writeFileAtomic(run.paths.excluded, `${JSON.stringify({ excluded })}\n`);
}

function rising(indices: Iterable<number>): number[] {
  return [...new Set(indices)].sort((a, b) => a - b);
}
