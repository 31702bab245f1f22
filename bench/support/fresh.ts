/**
 * A process that is measured from the command that starts it: it does one thing, says on stdout when
 * it has come how far (`startRequest.ts`), and ends.
 */
import { runChild } from './child.js';
import { markSchema, type Mark } from './startRequest.js';

/** What was told, and how many seconds after the command. */
export type Reached = Mark & { seconds: number };

export interface FreshRun {
  /** When the weights were in memory, and when the work was done. */
  loaded: Reached;
  done: Reached;
}

/** Throws the end of what it wrote where the process fails or does not come to its end. */
export async function runFresh(
  name: string,
  [program, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
): Promise<FreshRun> {
  const marks = new Map<Mark['mark'], Reached>();
  await runChild(name, program, args, {
    environment,
    onLine: (line, seconds) => {
      const mark = markOf(line);
      if (mark) marks.set(mark.mark, { ...mark, seconds });
      return mark !== undefined;
    },
  });
  const [loaded, done] = [marks.get('loaded'), marks.get('done')];
  if (!loaded || !done) throw new Error(`${name} ended before its work was done`);
  return { loaded, done };
}

/** Undefined for any other line. */
function markOf(line: string): Mark | undefined {
  try {
    return markSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
