/**
 * Starts one of the extension's own programs as a child process that speaks over Node IPC: with the
 * Node inside the editor, or with one that the user names. What it prints goes to the log.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { childEnvironment } from '../childEnvironment.js';
import { CfsError, messageOf } from '../errors.js';
import type { Log } from './log.js';

export interface ProgramOptions {
  /** The bundle to run. */
  script: string;
  /** For the log. */
  name: string;
  /** Another Node.js than the editor's own. */
  nodePath: string | undefined;
  log: Log;
  onMessage: (message: unknown) => void;
  /** Called once, when the process is gone or could not be started. */
  onExit: (exit: Exit) => void;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why it never started. */
  failure?: CfsError;
}

export interface Program {
  pid: number | undefined;
  /** Does nothing once the process is gone; `onExit` tells that. */
  send(message: object): void;
  kill(): void;
  /** Closes the line and forgets the process; what it does then is its own decision. */
  release(): void;
}

export function startProgram(options: ProgramOptions): Program {
  const { script, name, nodePath, log } = options;
  const child = fork(script, [], {
    // The editor's own flags (a debugger's port, say) are not the child's.
    execArgv: [],
    ...(nodePath === undefined ? {} : { execPath: nodePath }),
    // The editor's binary is Electron, which is Node only when asked to be.
    env: { ...childEnvironment(process.env), ELECTRON_RUN_AS_NODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  stepBack(child.pid, name, log);
  let gone = false;
  const end = (exit: Exit): void => {
    if (gone) return;
    gone = true;
    options.onExit(exit);
  };
  child.on('message', options.onMessage);
  child.on('error', (cause) => {
    if (child.pid === undefined) {
      end({ code: null, signal: null, failure: notStarted(name, nodePath, cause) });
    } else {
      // It went away while something was being sent; its exit says the rest.
      log.warn(`${name}: ${messageOf(cause)}`);
    }
  });
  // Not “exit”: that may come before the last messages and lines.
  child.on('close', (code, signal) => end({ code, signal }));
  logLines(child.stdout, (line) => log.info(`${name}: ${line}`));
  logLines(child.stderr, (line) => log.warn(`${name}: ${line}`));
  return {
    pid: child.pid,
    send: (message) => {
      if (!gone && child.connected) child.send(message, () => undefined);
    },
    kill: () => void child.kill('SIGKILL'),
    release: () => {
      gone = true;
      release(child);
    },
  };
}

/** Training takes every core there is; the editor and its other extensions come first. */
function stepBack(pid: number | undefined, name: string, log: Log): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch (error) {
    // Some systems do not allow it; the work is the same.
    log.info(`The ${name} runs at the editor's own priority: ${messageOf(error)}`);
  }
}

function logLines(stream: NodeJS.ReadableStream | null, write: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', write);
}

/** Lets this process end although the child still runs. */
function release(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  child.unref();
}

function notStarted(name: string, nodePath: string | undefined, cause: unknown): CfsError {
  return new CfsError({
    code: 'PROCESS_NOT_STARTED',
    message: `The ${name} could not be started: ${messageOf(cause)}.`,
    remedy:
      nodePath === undefined
        ? 'Reload the window; if that does not help, reinstall the extension.'
        : 'Correct the setting “cfs.nodePath”, or leave it empty to use the Node.js of the editor.',
    ...(nodePath === undefined ? {} : { place: { file: nodePath } }),
    cause,
  });
}
