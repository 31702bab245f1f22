/**
 * A run folder as lists and pages show it. The log of a long run has many MB and is looked at every
 * second, so it is never read twice: each event is folded into a few numbers as it comes.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CfsError } from '../errors.js';
import { isSystemError } from '../files.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { isCheckpointName, type LogEnds } from '../protocol/logEnds.js';
import { clockEvent, noWork, secondsWorked, type WorkClock } from '../protocol/history.js';
import {
  runEventSchema,
  type ErrorRecord,
  type Phase,
  type RunEvent,
} from '../protocol/records.js';
import type { RunInfo, RunState } from '../protocol/runInfo.js';
import { requireEnd } from './chain.js';
import { readRunConfig } from './config.js';
import type { RunConfig } from './configSchema.js';
import { deathOf } from './death.js';
import { readLogEnds } from './logEnds.js';
import { isRunning, problemIn, readResults, runPaths, type RunPaths } from './runFolder.js';
import { createLineCounter, createTailReader, type TakeRecords } from './tail.js';

/** What the events of a run say until now. */
export interface RunHistory {
  phase?: Phase;
  /** Of that phase; see `RunInfo`. */
  progress: number;
  total: number;
  step: number;
  /** Steps that the training will take; 0 before it is known. */
  steps: number;
  /** See `RunInfo`. */
  tokens: number;
  starting: boolean;
  tokensPerSecond: number | null;
  secondsLeft: number | null;
  trained: boolean;
  /** Of the last step that was taken in this session; measuring in between does not change it. */
  pace?: Pick<RunInfo, 'tokensPerSecond' | 'secondsLeft'> | undefined;
  clock: WorkClock;
  /** How the log ends, where it ends. */
  end?: 'finished' | 'stopped' | 'failed';
  failure?: ErrorRecord;
}

const noPace = { tokensPerSecond: null, secondsLeft: null };

export const noHistory: RunHistory = {
  progress: 0,
  total: 0,
  step: 0,
  steps: 0,
  tokens: 0,
  starting: false,
  ...noPace,
  trained: false,
  clock: noWork,
};

/** `history` after one more event. */
export function foldEvent(history: RunHistory, event: RunEvent): RunHistory {
  return { ...foldState(history, event), clock: clockEvent(history.clock, event) };
}

function foldState(history: RunHistory, event: RunEvent): RunHistory {
  switch (event.type) {
    case 'run_started': {
      const { steps, trained, phase, progress, total } = history;
      return { ...noHistory, steps, trained, phase, progress, total, step: event.step };
    }
    case 'phase': {
      const { phase, progress, total } = event;
      const steps = phase === 'training' ? total : history.steps;
      const begun = phase !== history.phase;
      return {
        ...history,
        phase,
        progress,
        total,
        steps,
        ...(begun
          ? { tokens: 0, ...(phase === 'training' && history.pace ? history.pace : noPace) }
          : {}),
        // After a measurement in between, training has its sessions already.
        starting: phase === 'generating' || (phase === 'training' && !history.pace),
        end: undefined,
        failure: undefined,
      };
    }
    case 'sample_progress': {
      const { samples: progress, total, tokens, tokensPerSecond, secondsLeft } = event;
      const speed = { tokens, starting: false, tokensPerSecond, secondsLeft };
      return { ...history, phase: 'generating', progress, total, ...speed };
    }
    case 'samples_chosen':
      return { ...history, trained: true };
    case 'train_step': {
      const { step, tokensPerSecond, secondsLeft } = event;
      const { steps } = history;
      const at = { phase: 'training', progress: step, total: steps, step } as const;
      const pace = { tokensPerSecond, secondsLeft };
      return { ...history, ...at, ...pace, pace, starting: false, trained: true };
    }
    case 'run_finished':
      return ended(history, event.step, { end: 'finished', failure: undefined });
    case 'run_stopped':
      return ended(history, event.step, { end: 'stopped', failure: undefined });
    case 'run_failed':
      return ended(history, event.step, { end: 'failed', failure: event.error });
    case 'bos_found':
    case 'samples_judged':
    case 'samples_described':
    case 'evaluation':
    case 'checkpoint':
    case 'warning':
      return history;
  }
}

function ended(
  history: RunHistory,
  step: number,
  end: Pick<RunHistory, 'end' | 'failure'>,
): RunHistory {
  return { ...history, ...end, step, starting: false, ...noPace };
}

/** `running` while a living process holds the lock, otherwise what the log ends with. */
function stateOf(history: RunHistory, locked: boolean): RunState {
  return locked ? 'running' : (history.end ?? 'interrupted');
}

export interface RunReader {
  /**
   * Looks at the folder again; undefined when it is no run (any more). The same object as before
   * when nothing has changed. Not to be called again before it has ended.
   */
  read(signal?: AbortSignal): Promise<RunInfo | undefined>;
}

/** Reads one run folder again and again. Lines of its log that cannot be read go to `onProblem`. */
export function createRunReader(folder: string, onProblem: (problem: CfsError) => void): RunReader {
  const paths = runPaths(folder);
  const events = createTailReader(paths.events, runEventSchema, onProblem);
  const samples = createLineCounter(paths.samples);
  let history = noHistory;
  let folderStamp = '';
  let last: RunInfo | undefined;

  /** Once for each time the file changes: it may be long to read. */
  const readConfig = whenChanged(paths.config, () => readRunConfig(paths.config));
  const checkResults = whenChanged(paths.results, () => void readResults({ paths }));

  /** Throws the first thing that is wrong with the logs as far as they were read. */
  const checkLogs = (ends: LogEnds): void => {
    const problem = events.problem() ?? samples.problem();
    if (problem) throw problem;
    requireEnd(paths.events, ends.events, events.end());
    requireEnd(paths.samples, ends.samples, samples.end());
  };

  return {
    read: async (signal) => {
      const seen = await Promise.all(
        [
          ...[paths.config, folder, paths.events, paths.samples],
          ...[paths.checkpoints, paths.results, paths.vitals],
        ].map(stampOf),
      );
      // Most runs rest: their lock, report and model show in the folder's own time.
      const rests = last !== undefined && last.state !== 'running';
      if (rests && seen.join() === folderStamp) return last;
      if (seen[0] === undefined) return (last = undefined);
      let problem: CfsError | undefined;
      /** One part that cannot be read must not hide the others. */
      const attempt = async <T>(read: () => T | Promise<T>, otherwise: T): Promise<T> => {
        try {
          return await read();
        } catch (error) {
          problem ??= problemIn(folder, error);
          return otherwise;
        }
      };
      const config = await attempt<RunConfig | undefined>(readConfig, undefined);
      // Before the log and after it: a run that begins or ends meanwhile must not look interrupted.
      const lockedBefore = await attempt(() => isRunning(paths), false);
      // Before the logs too: they may grow while they are read, but never get shorter than this.
      const ends = await attempt(() => readLogEnds(paths), {});
      const take: TakeRecords<RunEvent> = (records, first) => {
        history = records.reduce(foldEvent, first ? noHistory : history);
      };
      await attempt(() => events.read(take, signal), undefined);
      await attempt(() => samples.count(signal), undefined);
      if (!signal?.aborted) await attempt(() => checkLogs(ends), undefined);
      await attempt(checkResults, undefined);
      const locked = lockedBefore || (await attempt(() => isRunning(paths), false));
      if (stateOf(history, locked) === 'interrupted') {
        const death = await attempt(() => deathOf(paths), undefined);
        problem ??= death;
      }
      const info = describe(folder, {
        history,
        samples: samples.end().lines,
        config,
        locked,
        checkpoints: await attempt(() => checkpointSteps(paths), []),
        hasReport: (await stampOf(paths.report)) !== undefined,
        hasModel: (await stampOf(join(paths.model, 'config.json'))) !== undefined,
        problem: problem ? errorRecord(problem) : history.failure,
      });
      if (JSON.stringify(info) !== JSON.stringify(last)) last = info;
      if (!signal?.aborted) folderStamp = seen.join();
      return last;
    },
  };
}

/** `read`, but what it gave or threw before as long as the file has not changed. */
function whenChanged<T>(file: string, read: () => T): () => Promise<T> {
  let stamp: string | undefined;
  let known: () => T = read;
  return async () => {
    const seen = await stampOf(file);
    if (seen === undefined || seen !== stamp) {
      stamp = seen;
      try {
        const value = read();
        known = () => value;
      } catch (error) {
        known = () => {
          throw error;
        };
      }
    }
    return known();
  };
}

interface Facts {
  history: RunHistory;
  samples: number;
  config: RunConfig | undefined;
  problem: ErrorRecord | undefined;
  locked: boolean;
  checkpoints: number[];
  hasReport: boolean;
  hasModel: boolean;
}

function describe(folder: string, facts: Facts): RunInfo {
  const { history, samples, config, problem, locked, checkpoints, hasReport, hasModel } = facts;
  const { phase, progress, total, step, tokens, starting, trained } = history;
  const { tokensPerSecond, secondsLeft } = history;
  const id = basename(folder);
  return {
    id,
    folder,
    state: stateOf(history, locked),
    name: config?.name ?? id,
    ...(config && { method: config.method, model: config.model }),
    datasets: config?.dataset.map(({ path }) => path) ?? [],
    created: createdOf(id),
    ...(phase && { phase }),
    progress,
    total,
    step,
    ...(tokens > 0 && { tokens }),
    ...(starting && { starting }),
    tokensPerSecond,
    secondsLeft,
    secondsWorked: secondsWorked(history.clock).total,
    samples,
    checkpoints,
    hasReport,
    hasModel,
    trained,
    ...(problem && { problem }),
  };
}

/** From the beginning of the id, `2026-11-22-191038-…`; the epoch for a folder named otherwise. */
export function createdOf(id: string): string {
  const [, day, hours, minutes, seconds] =
    /^(\d{4}-\d\d-\d\d)-(\d\d)(\d\d)(\d\d)(?!\d)/.exec(id) ?? [];
  const time = new Date(`${day}T${hours}:${minutes}:${seconds}Z`);
  return new Date(Number.isNaN(time.getTime()) ? 0 : time).toISOString();
}

async function checkpointSteps({ checkpoints }: RunPaths): Promise<number[]> {
  const names = await unlessMissing(readdir(checkpoints));
  return (names ?? [])
    .filter(isCheckpointName)
    .map(Number)
    .sort((a, b) => b - a);
}

/** Changes whenever the file does; undefined when there is none. */
async function stampOf(file: string): Promise<string | undefined> {
  try {
    const found = await unlessMissing(stat(file));
    return found && `${found.size} ${found.mtimeMs}`;
  } catch (error) {
    // There is something; whoever reads it says why that cannot be.
    if (isSystemError(error)) return error.code;
    throw error;
  }
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
