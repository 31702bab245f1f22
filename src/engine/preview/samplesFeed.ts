/**
 * The samples of a run as the inspector gets them: a summary each, in chunks, while the file is
 * still being written; and the tokens of those that somebody looks at.
 */
import type { CfsError } from '../../errors.js';
import { summarizeSample } from '../../generator/summary.js';
import type { SampleSummary, SampleTokens } from '../../protocol/inspector.js';
import { sampleRecordSchema } from '../../protocol/records.js';
import { readSampleTokens, type SampleIndex } from '../../runs/sampleIndex.js';
import { tailJsonLines } from '../../runs/tail.js';
import { createSoon } from '../../soon.js';

export const chunkSize = 250;
const waitMs = 100;

export interface SamplesFeed {
  /** Follows `file` in place of what was followed before; none: follows nothing more. */
  follow(file: string | undefined): void;
  /**
   * The tokens of samples of `file`, in the order asked; none where another file is followed. Throws
   * what `readSampleTokens` throws.
   */
  tokens(file: string, indices: readonly number[]): Promise<SampleTokens[]>;
}

/** More samples of `file`; with `first`, those told before are to be dropped. */
export interface SamplesTold {
  file: string;
  samples: SampleSummary[];
  first: boolean;
}

/** `tell` hears of at most `chunkSize` samples at a time. */
export function createSamplesFeed(
  tell: (told: SamplesTold) => void,
  onProblem: (problem: CfsError) => void,
): SamplesFeed {
  let followed: ReturnType<typeof followFile> | undefined;
  return {
    follow: (file) => {
      followed?.dispose();
      followed = file === undefined ? undefined : followFile(file, tell, onProblem);
    },
    tokens: async (file, indices) =>
      followed?.file === file ? readSampleTokens(file, followed.index, indices) : [],
  };
}

function followFile(
  file: string,
  tell: (told: SamplesTold) => void,
  onProblem: (problem: CfsError) => void,
) {
  const index: SampleIndex = new Map();
  let waiting: SampleSummary[] = [];
  let first = true;
  const flush = (): void => {
    do {
      tell({ file, samples: waiting.slice(0, chunkSize), first });
      waiting = waiting.slice(chunkSize);
      first = false;
    } while (waiting.length >= chunkSize);
    if (waiting.length > 0) soon();
  };
  const soon = createSoon(flush, waitMs);
  const tail = tailJsonLines(
    file,
    sampleRecordSchema,
    (records, fromStart, places) => {
      if (fromStart) {
        index.clear();
        waiting = [];
        first = true;
      }
      for (const [at, record] of records.entries()) {
        // A line that somebody copied is still one sample.
        if (index.has(record.index)) continue;
        const place = places[at];
        if (place) index.set(record.index, place);
        waiting.push(summarizeSample(record));
      }
      if (waiting.length >= chunkSize) flush();
      else soon();
    },
    onProblem,
  );
  return {
    file,
    index,
    dispose: () => {
      tail.dispose();
      soon.cancel();
    },
  };
}
