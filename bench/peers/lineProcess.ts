/**
 * A peer (PyTorch, llama.cpp) as a process of its own that answers one JSON line with another, so
 * that the benchmark can alternate its steps with ours in one run, and neither shares a heap, a
 * thread pool or a peak of memory with us.
 */
import { spawn } from 'node:child_process';
import { z } from 'zod';
import { messageOf } from '../../src/errors.js';

/** A peer that this machine does not have, and why; a benchmark prints it and continues. */
export interface Skipped {
  skipped: string;
}

export function isSkipped(found: object): found is Skipped {
  return 'skipped' in found;
}

export interface LineProcess {
  /**
   * Sends `{id, command, ...fields}` and gives the `result` of the answer with that id, parsed by
   * `schema`. Requests are answered one after another. Throws the peer's own error, or the end of
   * its stderr when it died.
   */
  request: <T>(
    command: string,
    fields: object,
    schema: z.ZodType<T>,
    timeoutSeconds: number,
  ) => Promise<T>;
  /** Asks the peer to quit, and kills it when it has not within 5 seconds. */
  stop: () => Promise<void>;
}

const answerSchema = z.discriminatedUnion('ok', [
  z.object({ id: z.number(), ok: z.literal(true), result: z.unknown() }),
  z.object({ id: z.number(), ok: z.literal(false), error: z.string() }),
]);
export type Answer = z.infer<typeof answerSchema>;

/** Cuts a stream of text into lines and parses each as an answer; throws on any other line. */
export function createAnswerReader(onAnswer: (answer: Answer) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') onAnswer(parseAnswer(line));
  };
}

interface Waiting {
  id: number;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** Starts `command args`; it is killed when this process ends. `name` is for error messages. */
export function startLineProcess(
  name: string,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): LineProcess {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);

  let waiting: Waiting | undefined;
  let nextId = 1;
  let failure: Error | undefined;
  let log = '';
  const fail = (reason: string): void => {
    failure ??= new Error(`${name}: ${reason}${log === '' ? '' : `\n${log.trimEnd()}`}`);
    waiting?.reject(failure);
    waiting = undefined;
    kill();
  };
  const read = createAnswerReader((answer) => {
    if (waiting?.id !== answer.id) throw new Error(`an answer to no request: id ${answer.id}`);
    const { resolve, reject } = waiting;
    waiting = undefined;
    if (answer.ok) resolve(answer.result);
    else reject(new Error(`${name}: ${answer.error}`));
  });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    try {
      read(chunk);
    } catch (error) {
      fail(messageOf(error));
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-4000);
  });
  child.stdin.on('error', (error) => fail(`could not be written to (${error.message})`));
  child.on('error', (error) => fail(`could not be started (${error.message})`));
  const closed = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      process.removeListener('exit', kill);
      fail(`ended (${signal ?? `exit code ${code}`})`);
      resolve();
    });
  });

  const send = (command: string, fields: object, timeoutSeconds: number): Promise<unknown> => {
    if (failure !== undefined) return Promise.reject(failure);
    if (waiting !== undefined) return Promise.reject(new Error(`${name}: is still answering`));
    const id = nextId++;
    const answered = new Promise<unknown>((resolve, reject) => {
      waiting = { id, resolve, reject };
    });
    const timer = setTimeout(
      () => fail(`gave no answer to '${command}' within ${timeoutSeconds} s`),
      timeoutSeconds * 1000,
    );
    child.stdin.write(`${JSON.stringify({ id, command, ...fields })}\n`);
    return answered.finally(() => clearTimeout(timer));
  };

  return {
    request: async (command, fields, schema, timeoutSeconds) =>
      schema.parse(await send(command, fields, timeoutSeconds)),
    stop: async () => {
      if (failure === undefined) {
        child.stdin.end(`${JSON.stringify({ id: 0, command: 'quit' })}\n`);
      }
      const timer = setTimeout(kill, 5000);
      await closed;
      clearTimeout(timer);
    },
  };
}

function parseAnswer(line: string): Answer {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`wrote a line that is not JSON: ${line.slice(0, 200)}`);
  }
  return answerSchema.parse(value);
}
