/**
 * The run folder: the single source of truth about a run. Whoever looks at a run reads it here;
 * the one process that runs the job writes it through `openRunWriter` (`runWriter.ts`).
 *
 *     .cfs/runs/<id>/run.yaml  identity.json  events.jsonl  samples.jsonl  held-out-samples.jsonl  base.json
 *                    excluded.json (written by people's choice, see exclusions.ts)
 *                    logs.json (where the logs end)  checkpoints/<step>/
 *                    items.jsonl  results.json  report.html  model/
 *                    lock  vitals.json (while a process works on it, and after it was killed)
 *                    stderr.log (what native libraries wrote, see cli/stderrLog.ts)
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { attempt, CfsError, raise } from '../errors.js';
import { isSystemError, makeFolder as makeFolders, readError, writeError } from '../files.js';
import type { LogEnds } from '../protocol/logEnds.js';
import {
  itemRecordSchema,
  runEventSchema,
  runResultsSchema,
  sampleRecordSchema,
} from '../protocol/records.js';
import type { ItemRecord, RunEvent, RunResults, SampleRecord } from '../protocol/records.js';
import type { RunState } from '../protocol/runInfo.js';
import { readSealed } from '../sealed.js';
import { brokenLog } from './chain.js';
import { readRunConfig, writeRunConfig } from './config.js';
import type { RunConfig } from './configSchema.js';
import { checkJsonLines, readJsonLines, readLastJsonLine } from './jsonLines.js';
import { deathOf } from './death.js';
import { isLocked } from './lock.js';
import { readLogEnds } from './logEnds.js';

export interface RunFolder {
  id: string;
  /** Absolute, as are all paths here. */
  folder: string;
  config: RunConfig;
  paths: RunPaths;
}

export interface RunPaths {
  config: string;
  /** What the run was made from, by content. */
  identity: string;
  events: string;
  samples: string;
  /** Samples of the KL estimate; they are not trained on. */
  klSamples: string;
  /** Samples that people took out of the mix. */
  excluded: string;
  /** Scores of the base model. */
  base: string;
  /** Where the logs end. */
  logs: string;
  checkpoints: string;
  /** Answers of base and fine-tuned model, item by item. */
  items: string;
  results: string;
  report: string;
  model: string;
  lock: string;
  /** What the process that holds the lock, or left it, last said of itself. */
  vitals: string;
  /** What native libraries wrote; see `cli/stderrLog.ts`. */
  stderr: string;
}

type Tell = (problem: CfsError) => void;

/** A run in a list; `problem` says what of it cannot be read or is damaged, or how it was killed. */
export interface RunSummary {
  id: string;
  folder: string;
  state: RunState;
  config?: RunConfig;
  problem?: CfsError;
}

/** Where the runs of a workspace folder are. */
export function runsFolder(workspace: string): string {
  return resolve(workspace, '.cfs', 'runs');
}

/** Makes the folder of a new run, never one that exists. Throws `WRITE_FAILED`. */
export function createRun(workspace: string, config: RunConfig, now = new Date()): RunFolder {
  const day = now.toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
  const parent = runsFolder(workspace);
  try {
    makeFolders(parent);
    for (let attempt = 0; ; attempt++) {
      const seed = JSON.stringify([config, now.getTime(), process.pid, attempt]);
      const hash = createHash('sha256').update(seed).digest('hex').slice(0, 4);
      const id = `${day}-${slug(config.name)}-${hash}`;
      const folder = join(parent, id);
      if (!makeFolder(folder)) continue;
      const paths = runPaths(folder);
      writeRunConfig(config, paths.config);
      return { id, folder, config, paths };
    }
  } catch (error) {
    throw error instanceof CfsError ? error : writeError(parent, error);
  }
}

/** The run in a folder. Throws `RUN_NOT_FOUND`, `CONFIG_UNREADABLE`, `CONFIG_INVALID`. */
export function openRun(folder: string): RunFolder {
  const absolute = resolve(folder);
  const paths = runPaths(absolute);
  if (!mayHoldRun(absolute)) throw notFound(folder);
  return { id: basename(absolute), folder: absolute, config: readRunConfig(paths.config), paths };
}

/** The run that a person names: a folder, an id, or the beginning of one id only. */
export function findRun(workspace: string, name: string): RunFolder {
  if (existsSync(join(name, 'run.yaml'))) return openRun(name);
  const matching = runIds(workspace).filter((id) => id.startsWith(name));
  const [only] = matching.includes(name) ? [name] : matching;
  if (only === undefined) throw notFound(name);
  if (matching.length > 1 && only !== name) {
    throw new CfsError({
      code: 'RUN_AMBIGUOUS',
      message: `The names of ${matching.length} runs begin with “${name}”: ${matching.join(', ')}.`,
      remedy: 'Type more of the name.',
    });
  }
  return openRun(join(runsFolder(workspace), only));
}

/** All runs of a workspace folder, the newest first. Throws `READ_FAILED` for the folder of all. */
export function listRuns(workspace: string): RunSummary[] {
  return runIds(workspace).map((id) => summarize(join(runsFolder(workspace), id)));
}

/** What can be told of a run, and its first problem: one bad folder must not hide the others. */
function summarize(folder: string): RunSummary {
  const paths = runPaths(folder);
  let problem: CfsError | undefined;
  const attemptAny = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problem ??= problemIn(folder, error);
      return undefined;
    }
  };
  const config = attemptAny(() => openRun(folder).config);
  const state = attemptAny(() => runState({ paths })) ?? 'interrupted';
  attemptAny(() => checkJsonLines(paths.events, runEventSchema, readLogEnds(paths).events));
  attemptAny(() => readResults({ paths }));
  if (state === 'interrupted') problem ??= attemptAny(() => deathOf(paths));
  return {
    id: basename(folder),
    folder,
    state,
    ...(config && { config }),
    ...(problem && { problem }),
  };
}

/** What went wrong in looking at a run folder; a bug of ours is thrown on. */
export function problemIn(folder: string, error: unknown): CfsError {
  if (error instanceof CfsError) return error;
  if (isSystemError(error)) return readError(error.path ?? folder, error);
  throw error;
}

/**
 * `running`: a living process holds the lock. `interrupted`: it died, or never began. The others:
 * what the last event says. All but `running` and `finished` can be resumed. Throws `READ_FAILED`.
 */
export function runState({ paths }: Pick<RunFolder, 'paths'>): RunState {
  if (isRunning(paths)) return 'running';
  const last = readLastJsonLine(paths.events, runEventSchema);
  if (last?.type === 'run_finished') return 'finished';
  if (last?.type === 'run_stopped') return 'stopped';
  if (last?.type === 'run_failed') return 'failed';
  return 'interrupted';
}

/** Whether a living process holds the lock. Throws `READ_FAILED`. */
export function isRunning({ lock }: RunPaths): boolean {
  try {
    return isLocked(lock);
  } catch (error) {
    throw problemIn(lock, error);
  }
}

/**
 * All events as written; see `trueHistory` for those that led somewhere. Like all readers of logs
 * here, throws `RECORD_BROKEN` with the line, and `READ_FAILED`. `tell` hears of broken records
 * instead, and what can be read is given.
 */
export function readEvents({ paths }: RunFolder, tell: Tell = raise): RunEvent[] {
  return [...readJsonLines(paths.events, runEventSchema, endsOf(paths, tell).events, tell)];
}

/** The samples one by one: there may be more of them than fit into memory. */
export function readSamples({ paths }: RunFolder, tell: Tell = raise): Generator<SampleRecord> {
  return readSampleLog(paths.samples, endsOf(paths, tell).samples, tell);
}

/** The samples of the KL estimate. */
export function readKlSamples({ paths }: RunFolder): Generator<SampleRecord> {
  return readSampleLog(paths.klSamples, readLogEnds(paths).klSamples, raise);
}

function endsOf(paths: RunPaths, tell: Tell): LogEnds {
  return attempt(() => readLogEnds(paths), tell) ?? {};
}

/** Each number once: a sample that is there twice would be trained on twice. */
function* readSampleLog(
  file: string,
  known: LogEnds['samples'],
  tell: Tell,
): Generator<SampleRecord> {
  const seen = new Set<number>();
  for (const sample of readJsonLines(file, sampleRecordSchema, known, tell)) {
    const { index } = sample;
    if (seen.has(index)) {
      const place = { file, line: seen.size + 1, field: 'index' };
      tell(brokenLog(place, `The sample ${index} is in this file twice.`));
      continue;
    }
    seen.add(index);
    yield sample;
  }
}

/** The items of the tasks with right and wrong answers; none before the run has finished. */
export function readItems({ paths }: RunFolder): Generator<ItemRecord> {
  return readJsonLines(paths.items, itemRecordSchema, readLogEnds(paths).items);
}

/** The results; undefined before the run has finished. Throws `RECORD_BROKEN` and `READ_FAILED`. */
export function readResults({ paths }: Pick<RunFolder, 'paths'>): RunResults | undefined {
  return readSealed(paths.results, runResultsSchema, {
    remedy: 'Restore the file from a backup, or delete it: the run is then shown without results.',
    unsealed: runResultsSchema,
  });
}

/**
 * The base model's scores, in the evaluator's terms; undefined before it was measured. Throws
 * `RECORD_BROKEN` and `READ_FAILED`.
 */
export function readBase<T>({ paths }: RunFolder, schema: z.ZodType<T>): T | undefined {
  return readSealed(paths.base, schema, {
    remedy: 'Delete the file and resume the run, which measures the base model again.',
    unsealed: schema,
  });
}

/** Where things are in a run folder. */
export function runPaths(folder: string): RunPaths {
  return {
    config: join(folder, 'run.yaml'),
    identity: join(folder, 'identity.json'),
    events: join(folder, 'events.jsonl'),
    samples: join(folder, 'samples.jsonl'),
    klSamples: join(folder, 'held-out-samples.jsonl'),
    excluded: join(folder, 'excluded.json'),
    base: join(folder, 'base.json'),
    logs: join(folder, 'logs.json'),
    checkpoints: join(folder, 'checkpoints'),
    items: join(folder, 'items.jsonl'),
    results: join(folder, 'results.json'),
    report: join(folder, 'report.html'),
    model: join(folder, 'model'),
    lock: join(folder, 'lock'),
    vitals: join(folder, 'vitals.json'),
    stderr: join(folder, 'stderr.log'),
  };
}

function runIds(workspace: string): string[] {
  const parent = runsFolder(workspace);
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && mayHoldRun(join(parent, entry.name)))
      .map((entry) => entry.name)
      .toSorted()
      .reverse();
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    throw problemIn(parent, error);
  }
}

/** Also a folder that cannot be looked into: it is listed with its problem. */
function mayHoldRun(folder: string): boolean {
  try {
    statSync(runPaths(folder).config);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code !== 'ENOENT';
  }
}

/** False when the folder is there already. */
function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function slug(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return plain.slice(0, 40).replace(/^-+|-+$/g, '') || 'run';
}

function notFound(name: string): CfsError {
  return new CfsError({
    code: 'RUN_NOT_FOUND',
    message: `There is no run “${name}”.`,
    remedy: 'List the runs with `cfs-studio runs`.',
  });
}
