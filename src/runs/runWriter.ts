/**
 * The one process that runs a job writes its run folder through this: it holds the lock, and looks at
 * what is there before it changes anything.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { attempt, CfsError } from '../errors.js';
import { writeFileAtomicFrom } from '../files.js';
import type { LogEnds } from '../protocol/logEnds.js';
import { runEventSchema, sampleRecordSchema } from '../protocol/records.js';
import type { ItemRecord, RunEvent, RunResults, SampleRecord } from '../protocol/records.js';
import { writeSealed } from '../sealed.js';
import { deathOf } from './death.js';
import { checkJsonLines, openJsonLines, sealedLines } from './jsonLines.js';
import { takeLock, type Lock } from './lock.js';
import { readLogEnds, writeLogEnds } from './logEnds.js';
import { readBase, type RunFolder } from './runFolder.js';

/**
 * Writes the logs of a run; there is one per run at a time. All that writes throws `RUN_REMOVED` when
 * people have deleted the folder, as an open log would accept lines forever, and `RUN_LOCK_LOST`
 * when another process has taken the run over.
 */
export interface RunWriter {
  /** A warning for the log: the run was that of a process which cannot be asked whether it lives. */
  takenOver: Lock['takenOver'];
  /** Another: how the process before was killed. */
  killed: CfsError | undefined;
  /** Appends to `events.jsonl`; what matters after a power cut is flushed to the disk. */
  appendEvent(event: RunEvent): void;
  appendSamples(samples: readonly SampleRecord[]): void;
  appendKlSamples(samples: readonly SampleRecord[]): void;
  /** Makes what was appended survive a power cut, and says where the logs end. */
  flush(): LogEnds;
  writeItems(items: Iterable<ItemRecord>): void;
  writeResults(results: RunResults): void;
  /** Closes the logs and gives the lock back. */
  close(): void;
}

/**
 * Takes the lock, mends what a crash left at the end of the logs, and opens them. Throws what is
 * wrong with the folder (`RECORD_BROKEN`, `READ_FAILED`) before anything in it has changed.
 */
export function openRunWriter(run: RunFolder): RunWriter {
  const { paths } = run;
  const killed = attempt(
    () => deathOf(paths),
    () => undefined,
  );
  const lock = takeLock(paths.lock, paths.vitals);
  const check = (): void => {
    if (!existsSync(paths.config)) throw removed(run);
    lock.check();
  };
  try {
    const ends = readLogEnds(paths);
    readBase(run, z.looseObject({}));
    const sound = {
      events: checkJsonLines(paths.events, runEventSchema, ends.events),
      samples: checkJsonLines(paths.samples, sampleRecordSchema, ends.samples),
      klSamples: checkJsonLines(paths.klSamples, sampleRecordSchema, ends.klSamples),
    };
    const events = openJsonLines(paths.events, sound.events);
    const samples = openJsonLines(paths.samples, sound.samples);
    const klSamples = openJsonLines(paths.klSamples, sound.klSamples);
    let { items } = ends;
    const flush = (): LogEnds => ({
      events: events.flush(),
      samples: samples.flush(),
      klSamples: klSamples.flush(),
      items,
    });
    const keepEnds = (): void => {
      // A folder that was deleted is not made again for this.
      if (existsSync(paths.config)) writeLogEnds(paths.logs, flush());
    };
    return {
      takenOver: lock.takenOver,
      // Of a process that cannot be asked, the lock has said what there is to say.
      killed: lock.takenOver === undefined ? killed : undefined,
      appendEvent: (event) => {
        check();
        events.append(event, isLasting(event));
        if (event.type === 'checkpoint') keepEnds();
      },
      appendSamples: (records) => {
        check();
        for (const record of records) samples.append(record, false);
      },
      appendKlSamples: (records) => {
        check();
        for (const record of records) klSamples.append(record, false);
      },
      flush: () => {
        check();
        return flush();
      },
      writeItems: (records) => {
        check();
        // A crash in between must not leave the new items with the old end.
        items = undefined;
        keepEnds();
        const lines = sealedLines(records);
        writeFileAtomicFrom(paths.items, lines);
        items = lines.end();
      },
      writeResults: (results) => {
        check();
        writeSealed(paths.results, results);
      },
      close: () => {
        try {
          // Whoever has taken the run over keeps its ends.
          lock.check();
          keepEnds();
        } catch (error) {
          // What ended the job is what people must hear of, and the ends kept before still hold.
          if (!(error instanceof CfsError)) throw error;
        } finally {
          for (const log of [events, samples, klSamples]) log.close();
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function isLasting(event: RunEvent): boolean {
  return !['train_step', 'sample_progress', 'phase'].includes(event.type);
}

function removed({ folder }: RunFolder): CfsError {
  return new CfsError({
    code: 'RUN_REMOVED',
    message: 'The folder of this run was deleted or moved while the run was under way.',
    remedy: 'Start a new run; stop a run before you delete or move its folder.',
    place: { file: folder },
  });
}
