/**
 * What the mix page begins with when somebody chooses a dataset: the files, the model, and the tasks
 * that lie beside the dataset. Settings that depend on what the files hold come later, from
 * `suggestSettings`.
 */
import { basename, dirname, extname, join } from 'node:path';
import type { Draft } from './studio.js';

/** Share of the rows held out where the dataset comes without held-out rows. */
const defaultHoldOut = 0.05;

export interface DraftSources {
  /** Absolute paths, as all here. */
  datasets: readonly string[];
  model?: string;
  /** Where to compute; `auto` is the schema's own default and not written down. */
  provider: string;
  /** Names of the files in `tasks/` beside the first dataset; empty where there is no such folder. */
  taskFiles: readonly string[];
}

export function makeDraft({ datasets, model, provider, taskFiles }: DraftSources): Draft {
  const [first] = datasets;
  return {
    ...(first === undefined
      ? {}
      : {
          name: basename(first, extname(first)),
          dataset: datasets.map((path) => ({ path })),
          evaluation: makeEvaluation(tasksFolder(first), taskFiles),
        }),
    ...(model === undefined ? {} : { model }),
    ...(provider === 'auto' ? {} : { provider }),
  };
}

/** Where tasks that belong to a dataset are looked for. */
export function tasksFolder(dataset: string): string {
  return join(dirname(dataset), 'tasks');
}

function makeEvaluation(folder: string, names: readonly string[]): Draft {
  // The task that asks for the dataset's own skill is measured as `downstream`, not protected.
  const tasks = names
    .filter((name) => /\.ya?ml$/.test(name) && !/^downstream\./.test(name))
    .toSorted()
    .map((name) => join(folder, name));
  return {
    ...(tasks.length === 0 ? {} : { tasks }),
    ...(names.includes('downstream.jsonl')
      ? { downstream: [{ path: join(folder, 'downstream.jsonl') }] }
      : { holdOut: defaultHoldOut }),
  };
}
