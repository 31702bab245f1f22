/**
 * The samples of a run as the inspector gets them: a summary each, in chunks, while the file is
 * still being written; and where each stands, for whoever wants to see its tokens.
 */
import type { CfsError } from '../../errors.js';
import type { SampleSummary } from '../../protocol/inspector.js';
import { sampleRecordSchema } from '../../protocol/records.js';
import { summarizeSample } from '../../protocol/sampleDiagnostics.js';
import type { SampleIndex } from '../../runs/sampleIndex.js';
import { tailJsonLines } from '../../runs/tail.js';
import { createSoon } from './soon.js';

export const chunkSize = 250;
const waitMs = 100;

export interface SamplesFeed {
  index: SampleIndex;
  dispose(): void;
}

/** `first`: what was told before is to be dropped. Chunks hold at most `chunkSize` samples. */
export function followSamples(
  file: string,
  tell: (samples: SampleSummary[], first: boolean) => void,
  onProblem: (problem: CfsError) => void,
): SamplesFeed {
  const index: SampleIndex = new Map();
  let waiting: SampleSummary[] = [];
  let first = true;
  const flush = (): void => {
    do {
      tell(waiting.slice(0, chunkSize), first);
      waiting = waiting.slice(chunkSize);
      first = false;
    } while (waiting.length >= chunkSize);
    if (waiting.length > 0) soon();
  };
  const soon = createSoon(flush, waitMs);
  const tail = tailJsonLines(
    file,
    sampleRecordSchema,
    (records, anew, places) => {
      if (anew) {
        index.clear();
        waiting = [];
        first = true;
      }
      for (const [at, record] of records.entries()) {
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
    index,
    dispose: () => {
      tail.dispose();
      soon.cancel();
    },
  };
}
