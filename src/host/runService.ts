/**
 * Runs jobs: one engine process at a time, the others wait. What happens in a run is read from its
 * folder by whoever wants to know; here processes are only started, asked to stop and watched until they end.
 */
import { CfsError, formatPlace } from '../errors.js';
import {
  engineMessageSchema,
  stopPatienceMs,
  type EngineRequest,
  type Until,
} from '../protocol/engine.js';
import { errorRecord } from '../protocol/errorRecord.js';
import type { RunConfig } from '../runs/configSchema.js';
import { tellDeath } from '../runs/death.js';
import { countOomKills } from '../runs/memoryProbes.js';
import { reviseRun, settingChanges } from '../runs/reviseRun.js';
import { removeRefused } from '../runs/refusedRun.js';
import { createRun, runPaths, runState, type RunFolder } from '../runs/runFolder.js';
import { noteEnd } from '../runs/vitals.js';
import { startProgram, type Exit, type Program } from './childProcess.js';
import { createEmitter } from './emitter.js';
import { describeFailure, type Log } from './log.js';
import type { RunEnd, RunLibrary, RunService } from './studio.js';

export interface RunServiceOptions {
  /** The engine's bundle. */
  script: string;
  library: RunLibrary;
  workspace: () => string | undefined;
  log: Log;
  /** Another Node.js than the editor's own. */
  nodePath?: () => string | undefined;
  /** How long an engine may take to stop. */
  stopTimeoutMs?: number;
}

interface Job {
  runId: string;
  /** The run, where its folder was made for this job. */
  made?: RunFolder;
  request: Exclude<EngineRequest, { type: 'stop' }>;
}

interface Work {
  job: Job;
  program: Program;
  /** Processes that the kernel had ended for want of memory until it was started. */
  oomKillsBefore: number | undefined;
  /** How it ends, once that is known; the process is still there then. */
  end?: Omit<RunEnd, 'runId'>;
  stopping?: { ended: Promise<void>; timer: NodeJS.Timeout };
  whenEnded: (() => void)[];
}

export function createRunService(options: RunServiceOptions): RunService {
  const { library, log, stopTimeoutMs = stopPatienceMs } = options;
  const changed = createEmitter<void>();
  const ended = createEmitter<RunEnd>();
  let queue: Job[] = [];
  let work: Work | undefined;

  const tellChange = (): void => {
    changed.fire();
    library.refresh();
  };

  const enqueue = (job: Job): void => {
    queue.push(job);
    beginNext();
    tellChange();
  };

  const beginNext = (): void => {
    if (work !== undefined) return;
    const job = queue.shift();
    if (job === undefined) return;
    try {
      // It may have been deleted while it waited.
      library.open(job.runId);
    } catch (error) {
      tellEnd({ runId: job.runId, outcome: 'failed', error: errorRecord(error) });
      return beginNext();
    }
    log.info(`Starting ${job.runId} (${job.request.type}, until ${job.request.until})`);
    const oomKillsBefore = countOomKills();
    const program = startProgram({
      script: options.script,
      name: 'engine',
      nodePath: options.nodePath?.(),
      log,
      onMessage: (message) => hear(message),
      onExit: (exit) => finish(exit),
    });
    work = { job, program, oomKillsBefore, whenEnded: [] };
  };

  const hear = (raw: unknown): void => {
    if (work === undefined) return;
    const parsed = engineMessageSchema.safeParse(raw);
    if (!parsed.success) {
      const error = errorRecord(notUnderstood(parsed.error.message));
      work.end ??= { outcome: 'failed', error };
      work.program.send({ type: 'stop' } satisfies EngineRequest);
      return;
    }
    const message = parsed.data;
    switch (message.type) {
      case 'ready':
        log.info(`The engine ${message.version} is up as process ${message.pid}`);
        if (work.stopping === undefined && work.end === undefined) {
          work.program.send(work.job.request);
        }
        return;
      case 'event':
        if (message.event.type === 'warning') {
          const { code, level, message: text, remedy } = message.event;
          const line = `${work.job.runId}: ${code}: ${text} → ${remedy}`;
          if (level === 'note') log.info(line);
          else log.warn(line);
        }
        return;
      case 'finished':
        work.end ??= { outcome: message.stopped ? outcomeOfStop(work) : 'finished' };
        return;
      case 'failed':
        work.end ??= { outcome: 'failed', error: message.error };
        return;
    }
  };

  const finish = (exit: Exit): void => {
    if (work === undefined) return;
    const { job, stopping, whenEnded } = work;
    const end = work.end ?? endWithoutWord(work, exit);
    const { pid } = work.program;
    if (work.end !== undefined && pid !== undefined) {
      // Killed here: nobody needs to look for a reason later.
      const { signal, code } = exit;
      noteEnd(runPaths(job.request.runFolder).vitals, pid, { signal, code, asked: true });
    }
    work = undefined;
    clearTimeout(stopping?.timer);
    const { made } = job;
    const removed = made !== undefined && end.outcome === 'failed' && removeRefused(made);
    tellEnd({ runId: job.runId, ...end, ...(removed && { removed }) });
    for (const tell of whenEnded) tell();
    beginNext();
    tellChange();
  };

  const tellEnd = (end: RunEnd): void => {
    const { runId, outcome, error } = end;
    if (error === undefined) log.info(`${runId}: ${outcome}`);
    else {
      const place = formatPlace(error.place);
      log.error(
        `${runId}: ${outcome}: ${error.code}: ${error.message}` +
          `${place === '' ? '' : ` at ${place}`} → ${error.remedy}`,
      );
    }
    ended.fire(end);
  };

  /** The engine always says how a job ended; when it could not, something ended the engine. */
  const endWithoutWord = (
    { job, program, oomKillsBefore }: Work,
    { signal, code, failure }: Exit,
  ): Omit<RunEnd, 'runId'> => {
    if (failure !== undefined) return { outcome: 'failed', error: errorRecord(failure) };
    const seen = { pid: program.pid, signal, code, oomKillsBefore };
    const death = tellDeath(runPaths(job.request.runFolder), seen);
    return { outcome: 'crashed', error: errorRecord(death) };
  };

  const stopWork = (current: Work): Promise<void> => {
    if (current.stopping !== undefined) return current.stopping.ended;
    log.info(`Stopping ${current.job.runId} after a checkpoint`);
    current.program.send({ type: 'stop' } satisfies EngineRequest);
    const timer = setTimeout(() => {
      const error = tooSlow(stopTimeoutMs);
      log.warn(describeFailure(error));
      current.end ??= { outcome: 'crashed', error: errorRecord(error) };
      current.program.kill();
    }, stopTimeoutMs);
    const whenEnded = new Promise<void>((resolve) => current.whenEnded.push(resolve));
    current.stopping = { ended: whenEnded, timer };
    return whenEnded;
  };

  const isOurs = (runId: string): boolean =>
    work?.job.runId === runId || queue.some((job) => job.runId === runId);

  const start = (config: RunConfig, until: Until): RunFolder => {
    const workspace = options.workspace();
    if (workspace === undefined) throw noWorkspace();
    const run = createRun(workspace, config);
    const request = { type: 'start', runFolder: run.folder, until } as const;
    enqueue({ runId: run.id, made: run, request });
    return run;
  };

  const requireResumable = (runId: string): RunFolder => {
    const run = library.open(runId);
    const state = runState(run);
    if (state === 'running') throw elsewhere('RUN_LOCKED', run.config.name);
    if (state === 'finished') throw finished(run.config.name);
    return run;
  };

  const resume = (runId: string, until: Until = 'end'): void => {
    if (isOurs(runId)) return;
    const { folder } = requireResumable(runId);
    enqueue({ runId, request: { type: 'resume', runFolder: folder, until } });
  };

  const resumeWith = (runId: string, config: RunConfig): void => {
    const run = isOurs(runId) ? library.open(runId) : requireResumable(runId);
    // Its engine may not hold the lock yet, and may have read the settings all the same.
    const isUnderWay = work?.job.runId === runId;
    if (isUnderWay && settingChanges(run.config, config).settings.length > 0) {
      throw underWay(run.config.name);
    }
    reviseRun(run, config);
    resume(runId);
  };

  return {
    start,
    resume,
    resumeWith,
    stop: async (runId) => {
      if (work?.job.runId === runId) return stopWork(work);
      if (isOurs(runId)) {
        queue = queue.filter((job) => job.runId !== runId);
        return tellChange();
      }
      const run = library.get(runId);
      if (run?.state === 'running') throw elsewhere('RUN_ELSEWHERE', run.name);
    },
    get current() {
      return work?.job.runId;
    },
    get queue() {
      return queue.map(({ runId }) => runId);
    },
    onDidChange: changed.event,
    onDidEnd: ended.event,
    dispose: () => {
      // Never killed: an engine that loses the editor writes a checkpoint and ends by itself.
      clearTimeout(work?.stopping?.timer);
      work?.program.release();
      work = undefined;
      queue = [];
      changed.dispose();
      ended.dispose();
    },
  };
}

function outcomeOfStop({ job, stopping }: Work): RunEnd['outcome'] {
  return job.request.until === 'samples' && stopping === undefined ? 'samples' : 'stopped';
}

function notUnderstood(why: string): CfsError {
  return new CfsError({
    code: 'PROTOCOL_MISMATCH',
    message: `The training process sent a message that the editor does not understand: ${why}`,
    remedy: 'Reload the window: two versions of the extension are running side by side.',
  });
}

function tooSlow(milliseconds: number): CfsError {
  return new CfsError({
    code: 'ENGINE_KILLED',
    message: `The run did not stop within ${Math.round(milliseconds / 60_000)} minutes and was ended.`,
    remedy: 'Resume it later from its last checkpoint.',
  });
}

function elsewhere(code: 'RUN_LOCKED' | 'RUN_ELSEWHERE', name: string): CfsError {
  return new CfsError({
    code,
    message: `“${name}” is being run by another window or a terminal.`,
    remedy: 'Stop it there, or wait until it ends.',
  });
}

function underWay(name: string): CfsError {
  return new CfsError({
    code: 'RUN_LOCKED',
    message: `“${name}” is under way with the settings in its run.yaml.`,
    remedy: 'Start a new run with other settings, or stop this one first.',
  });
}

function finished(name: string): CfsError {
  return new CfsError({
    code: 'RUN_FINISHED',
    message: `“${name}” has finished: there is nothing left to resume.`,
    remedy: 'Start a new run; “Configure a New Run Like This” copies its settings.',
  });
}

function noWorkspace(): CfsError {
  return new CfsError({
    code: 'WORKSPACE_MISSING',
    message: 'No folder is open, so there is no place to keep a run.',
    remedy: 'Open the folder that holds your dataset.',
  });
}
