/**
 * A process that is measured from the command that starts it: it does one thing, says on stdout when
 * it has come how far (`startRequest.ts`), and ends.
 */
import { spawn } from 'node:child_process';
import { defined } from '../../src/errors.js';
import { markSchema, type Mark } from './startRequest.js';

/** What was told, and how many seconds after the command. */
export type Reached = Mark & { seconds: number };

export interface FreshRun {
  /** When the weights were in memory, and when the work was done. */
  loaded: Reached;
  done: Reached;
}

/** Throws the end of its stderr where the process fails or does not come to its end. */
export function runFresh(
  name: string,
  command: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
): Promise<FreshRun> {
  const [program, ...args] = command;
  const began = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const marks = new Map<Mark['mark'], Reached>();
  let [rest, log] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const seconds = (performance.now() - began) / 1000;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      try {
        const mark = markSchema.parse(JSON.parse(line));
        marks.set(mark.mark, { ...mark, seconds });
      } catch {
        log += `${line}\n`;
      }
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.removeListener('exit', kill);
      if (code === 0 && marks.size === 2) {
        resolve({
          loaded: defined(marks.get('loaded'), 'mark'),
          done: defined(marks.get('done'), 'mark'),
        });
        return;
      }
      reject(new Error(`${name} ended (${signal ?? `exit code ${code}`})\n${log.trimEnd()}`));
    });
  });
}
