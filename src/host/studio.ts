/**
 * What the parts of the host know of each other: one object, made in `extension.ts`, handed to every
 * command, view and page. Each part is its own file and is built by a function of its own.
 */
import type * as vscode from 'vscode';
import type { Until } from '../protocol/engine.js';
import type { SampleSummary } from '../protocol/inspector.js';
import type { Page } from '../protocol/panel.js';
import type { PreviewContract } from '../protocol/preview.js';
import type { Params, Result } from '../protocol/rpc.js';
import type { ErrorRecord, RunEvent } from '../protocol/records.js';
import type { RunAction, RunInfo } from '../protocol/runInfo.js';
import type { RunConfig } from '../runs/configSchema.js';
import type { RunFolder } from '../runs/runFolder.js';
import type { LogChannel } from './ui.js';

export interface Studio {
  context: vscode.ExtensionContext;
  log: LogChannel;
  /** The folder whose `.cfs/runs` is meant. Throws `WORKSPACE_MISSING`. */
  workspace(): string;
  library: RunLibrary;
  service: RunService;
  preview: PreviewService;
  panel: PanelHost;
  inspector: InspectorHost;
}

/** The runs of the workspace, as their folders say; follows what other windows and terminals do. */
export interface RunLibrary extends vscode.Disposable {
  /** The newest first. */
  list(): readonly RunInfo[];
  get(runId: string): RunInfo | undefined;
  /** Throws `RUN_NOT_FOUND`, `CONFIG_INVALID`. */
  open(runId: string): RunFolder;
  /** Looks again now: after this process itself changed something. */
  refresh(): void;
  readonly onDidChange: vscode.Event<void>;
  /**
   * All events of a run so far, then new ones as they are written, in pieces that leave the event
   * loop free. `first` says that what came before is to be dropped (a folder that was replaced).
   */
  follow(runId: string, take: (events: RunEvent[], first: boolean) => void): vscode.Disposable;
}

/** Runs jobs in a child process, one at a time, the others queued. */
export interface RunService extends vscode.Disposable {
  /**
   * Makes the run folder and starts or queues the job. Throws `WRITE_FAILED`, `WORKSPACE_MISSING`.
   */
  start(config: RunConfig, until: Until): RunFolder;
  /** To the end where nothing else is said. Throws `RUN_FINISHED`, `RUN_LOCKED`, `RUN_NOT_FOUND`. */
  resume(runId: string, until?: Until): void;
  /**
   * Resumes to the end with other settings. Throws what `resume` throws, and `RUN_SETTLED` where the
   * settings can no longer be changed.
   */
  resumeWith(runId: string, config: RunConfig): void;
  /**
   * Ends a run of this window after a checkpoint, or takes it out of the queue; resolves when it has
   * ended. Throws `RUN_ELSEWHERE`.
   */
  stop(runId: string): Promise<void>;
  /** The run that this window's engine works on. */
  readonly current: string | undefined;
  /** Runs that wait, the next first. */
  readonly queue: readonly string[];
  readonly onDidChange: vscode.Event<void>;
  /** A run of this window ended, in whatever way. */
  readonly onDidEnd: vscode.Event<RunEnd>;
}

/** How a run of this window ended; `error` where it failed or crashed. */
export interface RunEnd {
  runId: string;
  /**
   * `samples`: it was to end once its samples are generated, and did. `crashed`: the engine died, and
   * the run can be resumed from its last checkpoint.
   */
  outcome: 'finished' | 'samples' | 'stopped' | 'failed' | 'crashed';
  error?: ErrorRecord;
  /** It failed before anything was done, so its folder is gone. */
  removed?: boolean;
}

/** Asks the preview process, starting it when it is needed and ending it when it is not. */
export interface PreviewService extends vscode.Disposable {
  request<M extends keyof PreviewContract['requests']>(
    method: M,
    params: Params<PreviewContract, M>,
    options?: { timeoutMs?: number },
  ): Promise<Result<PreviewContract, M>>;
  readonly onReading: vscode.Event<{ file: string; rows: number }>;
  /**
   * The samples of a file, then new ones as they are written, in place of another file that was
   * followed before. `first`: what came before is to be dropped, because the file was replaced or
   * the process started again.
   */
  followSamples(
    file: string,
    take: (samples: SampleSummary[], first: boolean) => void,
  ): vscode.Disposable;
}

/** A configuration in the making: `run.yaml` as data, paths absolute, fields still missing. */
export type Draft = Record<string, unknown>;

export interface ShowOptions {
  runIds?: readonly string[];
  /** The mix page begins anew with these settings: none of those before remains. */
  draft?: Draft;
  /** The mix page holds what it held, but for these settings. */
  change?: Draft;
}

export interface PanelHost extends vscode.Disposable {
  /** Opens the panel or brings it to the front. */
  show(page: Page, options?: ShowOptions): void;
  /** What the mix page holds, or held when it was last open. */
  readonly draft: Draft;
  /**
   * The run of the mix page's settings whose samples are there or come, started where there is none;
   * undefined while these settings cannot be started.
   */
  generateSamples(): string | undefined;
  /** The mix page, where it is about the run `runId`, is about `next` from now on, which has another BOS token. */
  follow(runId: string, next: RunFolder): void;
}

export interface InspectorHost extends vscode.Disposable {
  show(runId?: string): void;
}

/** Does what people ask of a run; the tree, the pages and the palette all come here. */
export type RunActions = Record<RunAction, (runId: string) => Promise<void> | void>;
