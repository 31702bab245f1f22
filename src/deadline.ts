/**
 * Work of other people's making that must end: the one thing that can be done about a regular
 * expression of JavaScript, which may take longer than anyone lives and cannot be counted. Where
 * work can be counted (templates) or takes linear time by its making (patterns of tasks), that is
 * better, as it ends at the same place on every machine.
 */
import { Script } from 'node:vm';

/** The work was not done in time. */
export class DeadlinePassed extends Error {}

/** Milliseconds for work on a text of `length` characters: far more than it takes in linear time. */
export function timeForText(length: number): number {
  return 10_000 + length / 20;
}

const name = 'cfs-studio.deadline';
const place = globalThis as { [key: symbol]: (() => void) | undefined };
/** Only a script can be given a time; this one does whatever work lies ready. */
const script = new Script(`globalThis[Symbol.for('${name}')]()`);

/**
 * What `work` gives, a function that waits for nothing. Throws `DeadlinePassed` after so many
 * milliseconds; what the work has changed until then stays. A call costs some 0.1 ms.
 */
export function withinTime<T>(milliseconds: number, work: () => T): T {
  const outer = place[Symbol.for(name)];
  let result: { value: T } | undefined;
  place[Symbol.for(name)] = () => (result = { value: work() });
  try {
    script.runInThisContext({ timeout: Math.ceil(milliseconds), displayErrors: false });
  } catch (error) {
    if (isTimeout(error)) throw new DeadlinePassed(`not done after ${milliseconds} ms`);
    throw error;
  } finally {
    place[Symbol.for(name)] = outer;
  }
  if (result === undefined) throw new Error('Internal error: the work was not done');
  return result.value;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
