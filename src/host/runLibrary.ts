/**
 * The runs of the workspace as their folders say. Nobody tells the editor what another window, a
 * terminal or a person with a file manager does to them, so the folders are looked at again and
 * again: those that run every second, the others every two, and at once where the system tells that
 * a run was added or removed.
 */
import { watch, type FSWatcher } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CfsError } from '../errors.js';
import { isSystemError } from '../files.js';
import { runEventSchema } from '../protocol/records.js';
import type { RunInfo } from '../protocol/runInfo.js';
import { openRun, runPaths, runsFolder } from '../runs/runFolder.js';
import { createRunReader, type RunReader } from '../runs/runInfo.js';
import { tailJsonLines, type Tail } from '../runs/tail.js';
import { createEmitter } from './emitter.js';
import { describeFailure, type Log } from './log.js';
import type { RunLibrary } from './studio.js';

export interface RunLibraryOptions {
  workspace: () => string | undefined;
  /** Runs that wait in this window. */
  queued?: () => readonly string[];
  /** The run that this window works on: it runs, also while its engine is still starting. */
  current?: () => string | undefined;
  log: Log;
}

const livePollMs = 1000;
/** All runs are looked at in every second round. */
const roundsPerSweep = 2;
/** Changes that come closer together than this are announced as one. */
const changeDelayMs = 100;

interface Entry {
  reader: RunReader;
  info?: RunInfo;
  /** What went wrong at the last look, so that it is logged once. */
  failure?: string;
}

export function createRunLibrary(options: RunLibraryOptions): RunLibrary {
  const { log } = options;
  const changed = createEmitter<void>();
  const stop = new AbortController();
  const entries = new Map<string, Entry>();
  const tails = new Set<Tail>();
  let list: RunInfo[] = [];
  let watching: { parent: string; watcher: FSWatcher } | undefined;
  let scanning = false;
  let wanted: 'live' | 'all' | undefined;
  let round = 0;
  let told: NodeJS.Timeout | undefined;
  let parentFailure = '';

  const tellChange = (): void => {
    told ??= setTimeout(() => {
      told = undefined;
      changed.fire();
    }, changeDelayMs);
  };

  const publish = (): void => {
    list = [...entries.values()]
      .flatMap(({ info }) => info ?? [])
      .sort((a, b) => compare(b.created, a.created) || compare(b.id, a.id));
    tellChange();
  };

  const look = async (folder: string, entry: Entry): Promise<void> => {
    try {
      const info = await entry.reader.read(stop.signal);
      entry.failure = undefined;
      if (info === entry.info || stop.signal.aborted) return;
      entry.info = info;
      publish();
    } catch (error) {
      if (!(error instanceof CfsError) && !isSystemError(error)) throw error;
      const failure = describeFailure(error);
      if (failure !== entry.failure) log.warn(`Could not look at ${folder}: ${failure}`);
      entry.failure = failure;
    }
  };

  const findFolders = async (): Promise<void> => {
    const workspace = options.workspace();
    const parent = workspace === undefined ? undefined : runsFolder(workspace);
    const found = new Set(parent === undefined ? [] : await folders(parent));
    if (parent === undefined || watching?.parent !== parent) unwatch();
    if (parent !== undefined && found.size > 0) watchFor(parent);
    const gone = [...entries.keys()].filter((folder) => !found.has(folder));
    for (const folder of gone) entries.delete(folder);
    if (gone.length > 0) publish();
    for (const folder of found) {
      if (entries.has(folder)) continue;
      const onProblem = (problem: CfsError): void => log.warn(describeFailure(problem));
      entries.set(folder, { reader: createRunReader(folder, onProblem) });
    }
  };

  const folders = async (parent: string): Promise<string[]> => {
    try {
      const found = await readdir(parent, { withFileTypes: true });
      parentFailure = '';
      return found
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(parent, name))
        .sort()
        .reverse();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const failure = error.code === 'ENOENT' ? '' : `Could not list the runs: ${error.message}`;
      if (failure !== '' && failure !== parentFailure) log.error(failure);
      parentFailure = failure;
      return [];
    }
  };

  const isLive = ({ info }: Entry): boolean =>
    info?.state === 'running' || (info !== undefined && info.id === options.current?.());

  /** One run after the other: reading many logs at once would hold up the editor. */
  const scan = async (what: 'live' | 'all'): Promise<void> => {
    wanted = wanted === 'all' ? 'all' : what;
    if (scanning) return;
    scanning = true;
    try {
      while (wanted !== undefined && !stop.signal.aborted) {
        const all = wanted === 'all';
        wanted = undefined;
        if (all) await findFolders();
        for (const [folder, entry] of entries) {
          if (stop.signal.aborted) return;
          if (all || isLive(entry)) await look(folder, entry);
        }
      }
    } finally {
      scanning = false;
    }
  };

  const watchFor = (parent: string): void => {
    if (watching !== undefined) return;
    try {
      const watcher = watch(parent, () => void scan('all'));
      // A folder that was removed, a network disk that went away: looking again and again goes
      // on without it.
      watcher.on('error', () => unwatch());
      watching = { parent, watcher };
    } catch (error) {
      if (!isSystemError(error)) throw error;
      log.info(`New runs are noticed a little later: ${error.message}`);
    }
  };
  const unwatch = (): void => {
    watching?.watcher.close();
    watching = undefined;
  };

  const shown = (info: RunInfo): RunInfo => {
    if (options.queued?.().includes(info.id)) return { ...info, state: 'queued' };
    if (options.current?.() === info.id) return { ...info, state: 'running' };
    return info;
  };

  const folderOf = (runId: string): string => {
    const workspace = options.workspace();
    // A page names the run: nothing but the name of a folder may come from it.
    if (workspace === undefined || !isPlainName(runId)) throw notFound(runId);
    return join(runsFolder(workspace), runId);
  };

  const timer = setInterval(() => {
    round = (round + 1) % roundsPerSweep;
    void scan(round === 0 ? 'all' : 'live');
  }, livePollMs);
  void scan('all');

  return {
    list: () => list.map(shown),
    get: (runId) => {
      const info = list.find(({ id }) => id === runId);
      return info && shown(info);
    },
    open: (runId) => openRun(folderOf(runId)),
    refresh: () => {
      for (const tail of tails) tail.poke();
      // Also where no folder changed: what waits or runs in this window may have.
      tellChange();
      void scan('all');
    },
    onDidChange: changed.event,
    follow: (runId, take) => {
      const file = runPaths(folderOf(runId)).events;
      // What is wrong with the log is told by the look at all runs already.
      const tail = tailJsonLines(
        file,
        runEventSchema,
        (events, first) => take(events, first),
        () => undefined,
      );
      tails.add(tail);
      return {
        dispose: () => {
          tails.delete(tail);
          tail.dispose();
        },
      };
    },
    dispose: () => {
      stop.abort();
      clearInterval(timer);
      clearTimeout(told);
      unwatch();
      for (const tail of tails) tail.dispose();
      tails.clear();
      changed.dispose();
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && basename(name) === name;
}

function notFound(runId: string): CfsError {
  return new CfsError({
    code: 'RUN_NOT_FOUND',
    message: `There is no run “${runId}” in this workspace.`,
    remedy: 'Choose one from the list of runs.',
  });
}
