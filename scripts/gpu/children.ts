/**
 * Child processes under a time limit: what they tell is handed on line by line, what they print goes
 * into the log, and the whole check has one clock.
 */
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { eventMark, eventSchema, type Event } from './record.js';

export interface Clock {
  /** Since the check began. */
  seconds(): number;
  /** Until it must have ended. */
  left(): number;
}

export function createClock(beganMilliseconds: number, limitSeconds: number): Clock {
  const seconds = (): number => (Date.now() - beganMilliseconds) / 1000;
  return { seconds, left: () => limitSeconds - seconds() };
}

export interface Ended {
  state: 'passed' | 'failed' | 'stopped';
  seconds: number;
  /** The last that it printed, for people. */
  tail: string;
  /** How it ended, in words. */
  about: string;
}

export interface ChildOptions {
  environment: NodeJS.ProcessEnv;
  limitSeconds: number;
  folder?: string;
  log: (text: string) => void;
  /**
   * Where its errors go instead of into a pipe, to be read at its end and not logged. Node opens a
   * pipe so that it never waits, and a native library that writes faster than we read then stops
   * writing for good.
   */
  errorFile?: string;
  onEvent?: (event: Event) => void;
  onLine?: (line: string) => void;
}

/** Most characters of a child's output that go into the log. */
const logLimit = 60_000;

export function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<Ended> {
  const { environment, limitSeconds, log, errorFile, onEvent, onLine } = options;
  const began = performance.now();
  let tail = '';
  let logged = 0;
  const print = (line: string): void => {
    tail = `${tail}${line}\n`.slice(-3000);
    if (logged > logLimit) return;
    logged += line.length;
    log(`${line}\n`);
    if (logged > logLimit) log('… (the rest is left out)\n');
  };
  const readLine = (line: string): void => {
    if (!line.startsWith(eventMark)) {
      onLine?.(line);
      if (line.trim() !== '') print(line);
      return;
    }
    log(`${line}\n`);
    const event = eventSchema.safeParse(parsed(line.slice(eventMark.length)));
    if (event.success) onEvent?.(event.data);
    else print(`a line that says nothing: ${line.slice(0, 200)}`);
  };
  return new Promise((resolve) => {
    const errors = errorFile === undefined ? 'pipe' : openSync(errorFile, 'w');
    const child = spawn(command, args, {
      env: environment,
      cwd: options.folder,
      stdio: ['ignore', 'pipe', errors],
      // A group of its own, so that what it starts ends with it.
      detached: true,
    });
    let stopped = false;
    let failure = '';
    const stop = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    const timer = setTimeout(() => ((stopped = true), stop()), Math.max(0, limitSeconds) * 1000);
    const streams = [child.stdout, child.stderr].map((stream) => {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(readLine);
      });
      return () => void (rest !== '' && readLine(rest));
    });
    child.on('error', (error) => (failure = error.message));
    process.once('exit', stop);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      process.removeListener('exit', stop);
      streams.forEach((flush) => flush());
      if (errorFile !== undefined) readErrors(errorFile, onLine);
      const seconds = (performance.now() - began) / 1000;
      const how = failure || (signal ? `ended by ${signal}` : `exit code ${code}`);
      const about = stopped ? `stopped after ${seconds.toFixed(0)} s` : how;
      const state = stopped ? 'stopped' : code === 0 && failure === '' ? 'passed' : 'failed';
      resolve({ state, seconds, tail, about });
    });
  });
}

function readErrors(file: string, onLine: ((line: string) => void) | undefined): void {
  for (const line of readFileSync(file, 'utf8').split('\n')) onLine?.(line);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
