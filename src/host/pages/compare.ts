/** The host's side of the compare page: runs side by side, and the items they answer differently. */
import { CfsError } from '../../errors.js';
import type { RunInfo } from '../../protocol/runInfo.js';
import { compareItems, compareRuns, type ComparedRun } from '../../runs/compare.js';
import { readIdentity } from '../../runs/identity.js';
import type { RunFolder } from '../../runs/runFolder.js';
import type { Studio } from '../studio.js';
import { resultsOf } from './curves.js';
import { createItemCache } from './itemCache.js';
import type { PageSide } from './side.js';
import { logProblem } from './webview.js';

/** What stands for the base model of the other run. */
const base = 'base';

export function createCompareSide(studio: Studio): PageSide<'compare' | 'items'> {
  const { library, log } = studio;
  const cache = createItemCache();

  /** Undefined where it cannot be read; the log says why. */
  const shown = <T>(what: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      logProblem(log, `${what} of a run cannot be shown`, error);
      return undefined;
    }
  };
  const compared = (info: RunInfo): ComparedRun => ({
    info,
    config: shown('The settings', () => library.open(info.id).config),
    results: resultsOf(studio, info.id),
    identity: shown('The identity', () => readIdentity(library.open(info.id))),
  });
  const side = async (
    run: RunFolder,
    model: 'base' | 'final',
  ): Promise<Parameters<typeof compareItems>[0]> => ({ items: await cache.items(run), model });

  return {
    handlers: {
      compare: ({ runIds }) => {
        const known = runIds.flatMap((runId) => library.get(runId) ?? []);
        return compareRuns(known.map(compared), studio.workspace());
      },
      items: async ({ from, to, task, metric, change, offset, limit }) => {
        const [before, after] = [from === base ? to : from, to === base ? from : to].map((id) =>
          library.open(id),
        );
        if (!before || !after) return { total: 0, items: [] };
        const found = compareItems(
          await side(before, from === base ? 'base' : 'final'),
          await side(after, to === base ? 'base' : 'final'),
          { task, metric, change },
        );
        return { total: found.length, items: found.slice(offset, offset + limit) };
      },
    },
    rest: () => cache.clear(),
  };
}
