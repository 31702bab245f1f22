/**
 * The run folder: the single source of truth about a run. Whoever looks at a run reads it here;
 * the one process that runs the job writes it through `openRunWriter`, which holds the lock.
 *
 *     .cfs/runs/<id>/run.yaml  identity.json  events.jsonl  samples.jsonl  held-out-samples.jsonl  base.json
 *                    excluded.json (written by people's choice, see exclusions.ts)
 *                    checkpoints/<step>/
 *                    items.jsonl  results.json  report.html  model/
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CfsError, messageOf } from '../errors.js';
import {
  makeFolder as makeFolders,
  writeError,
  writeFileAtomic,
  writeFileAtomicFrom,
} from '../files.js';
import {
  itemRecordSchema,
  runEventSchema,
  runResultsSchema,
  sampleRecordSchema,
} from '../protocol/records.js';
import type { ItemRecord, RunEvent, RunResults, SampleRecord } from '../protocol/records.js';
import type { RunState } from '../protocol/runInfo.js';
import { readRunConfig, writeRunConfig } from './config.js';
import type { RunConfig } from './configSchema.js';
import { openJsonLines, readJsonLines, readLastJsonLine } from './jsonLines.js';
import { isLocked, takeLock, type Lock } from './lock.js';

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
  checkpoints: string;
  /** Answers of base and fine-tuned model, item by item. */
  items: string;
  results: string;
  report: string;
  model: string;
  lock: string;
}

/** A run in a list; `problem` says why its configuration cannot be read. */
export interface RunSummary {
  id: string;
  folder: string;
  state: RunState;
  config?: RunConfig;
  problem?: CfsError;
}

/**
 * Writes the logs of a run; there is one per run at a time. All that writes throws `RUN_REMOVED` when
 * people have deleted the folder, as an open log would accept lines forever, and `RUN_LOCK_LOST`
 * when another process has taken the run over.
 */
export interface RunWriter {
  /** A warning for the log: the run was that of a process which cannot be asked whether it lives. */
  takenOver: Lock['takenOver'];
  /** Appends to `events.jsonl`; what matters after a power cut is flushed to the disk. */
  appendEvent(event: RunEvent): void;
  appendSamples(samples: readonly SampleRecord[]): void;
  appendKlSamples(samples: readonly SampleRecord[]): void;
  writeItems(items: Iterable<ItemRecord>): void;
  writeResults(results: RunResults): void;
  /** Closes the logs and gives the lock back. */
  close(): void;
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

/** The run in a folder. Throws `RUN_NOT_FOUND`, `CONFIG_INVALID`. */
export function openRun(folder: string): RunFolder {
  const absolute = resolve(folder);
  const paths = runPaths(absolute);
  if (!existsSync(paths.config)) throw notFound(folder);
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

/** All runs of a workspace folder, the newest first. */
export function listRuns(workspace: string): RunSummary[] {
  return runIds(workspace).map((id) => {
    const folder = join(runsFolder(workspace), id);
    const state = runState({ paths: runPaths(folder) });
    try {
      return { id, folder, state, config: openRun(folder).config };
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      return { id, folder, state, problem: error };
    }
  });
}

/**
 * `running`: a living process holds the lock. `interrupted`: it died, or never began. The others:
 * what the last event says. All but `running` and `finished` can be resumed.
 */
export function runState(run: Pick<RunFolder, 'paths'>): RunState {
  if (isLocked(run.paths.lock)) return 'running';
  const last = readLastJsonLine(run.paths.events, runEventSchema);
  if (last?.type === 'run_finished') return 'finished';
  if (last?.type === 'run_stopped') return 'stopped';
  if (last?.type === 'run_failed') return 'failed';
  return 'interrupted';
}

/** All events as written; see `trueHistory` for those that led somewhere. */
export function readEvents(run: RunFolder): RunEvent[] {
  return [...readJsonLines(run.paths.events, runEventSchema)];
}

/** The samples one by one: there may be more of them than fit into memory. */
export function readSamples(run: RunFolder): Generator<SampleRecord> {
  return readJsonLines(run.paths.samples, sampleRecordSchema);
}

/** The samples of the KL estimate. */
export function readKlSamples(run: RunFolder): Generator<SampleRecord> {
  return readJsonLines(run.paths.klSamples, sampleRecordSchema);
}

/** The items of the tasks with right and wrong answers; none before the run has finished. */
export function readItems(run: RunFolder): Generator<ItemRecord> {
  return readJsonLines(run.paths.items, itemRecordSchema);
}

/** The results; undefined before the run has finished. Throws `RECORD_BROKEN`. */
export function readResults(run: RunFolder): RunResults | undefined {
  const file = run.paths.results;
  if (!existsSync(file)) return undefined;
  try {
    return runResultsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new CfsError({
      code: 'RECORD_BROKEN',
      message: `This is not a results file that CFS Studio wrote: ${messageOf(error)}`,
      remedy: 'Delete the file and resume the run, which writes it again.',
      place: { file },
      cause: error,
    });
  }
}

/** Takes the lock, mends what a crash left at the end of the logs, and opens them. */
export function openRunWriter(run: RunFolder): RunWriter {
  const lock = takeLock(run.paths.lock);
  const check = (): void => {
    if (!existsSync(run.paths.config)) throw removed(run);
    lock.check();
  };
  try {
    const events = openJsonLines(run.paths.events);
    const samples = openJsonLines(run.paths.samples);
    const klSamples = openJsonLines(run.paths.klSamples);
    return {
      takenOver: lock.takenOver,
      appendEvent: (event) => {
        check();
        events.append(event, isLasting(event));
      },
      appendSamples: (records) => {
        check();
        for (const record of records) samples.append(record, false);
      },
      appendKlSamples: (records) => {
        check();
        for (const record of records) klSamples.append(record, false);
      },
      writeItems: (items) => {
        check();
        writeFileAtomicFrom(run.paths.items, jsonLines(items));
      },
      writeResults: (results) => {
        check();
        writeFileAtomic(run.paths.results, `${JSON.stringify(results, null, 2)}\n`);
      },
      close: () => {
        try {
          events.close();
          samples.close();
          klSamples.close();
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function* jsonLines(records: Iterable<unknown>): Generator<string> {
  for (const record of records) yield `${JSON.stringify(record)}\n`;
}

function isLasting(event: RunEvent): boolean {
  return !['train_step', 'sample_progress', 'phase'].includes(event.type);
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
    checkpoints: join(folder, 'checkpoints'),
    items: join(folder, 'items.jsonl'),
    results: join(folder, 'results.json'),
    report: join(folder, 'report.html'),
    model: join(folder, 'model'),
    lock: join(folder, 'lock'),
  };
}

function runIds(workspace: string): string[] {
  const parent = runsFolder(workspace);
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(parent, entry.name, 'run.yaml')))
    .map((entry) => entry.name)
    .toSorted()
    .reverse();
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

function removed({ folder }: RunFolder): CfsError {
  return new CfsError({
    code: 'RUN_REMOVED',
    message: 'The folder of this run was deleted or moved while the run was under way.',
    remedy: 'Start a new run; stop a run before you delete or move its folder.',
    place: { file: folder },
  });
}

function notFound(name: string): CfsError {
  return new CfsError({
    code: 'RUN_NOT_FOUND',
    message: `There is no run “${name}”.`,
    remedy: 'List the runs with `cfs-studio runs`.',
  });
}
