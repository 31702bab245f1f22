/** A program that is run to its end; it is killed when this process ends before it. */
import { spawn } from 'node:child_process';

export interface ChildOptions {
  environment: NodeJS.ProcessEnv;
  /** Each line of stdout, with the seconds since the start; false: it belongs to the log. */
  onLine?: (line: string, seconds: number) => boolean;
}

/**
 * Resolves to the seconds until it has ended. Throws the end of its log (stderr and such lines) where
 * it does not end with 0; `name` is for the error.
 */
export function runChild(
  name: string,
  program: string,
  args: readonly string[],
  { environment, onLine = () => true }: ChildOptions,
): Promise<number> {
  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1000;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  let [rest, log] = ['', ''];
  const note = (text: string): void => {
    log = (log + text).slice(-4000);
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!onLine(line, passed())) note(`${line}\n`);
  });
  child.stderr.setEncoding('utf8').on('data', note);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.removeListener('exit', kill);
      if (code === 0) return resolve(passed());
      reject(new Error(`${name} ended (${signal ?? `exit code ${code}`})\n${log.trimEnd()}`));
    });
  });
}
