/** Which runs a page of the panel begins with when nobody chose any. */
import type { Page } from '../../protocol/panel.js';
import type { RunInfo } from '../../protocol/runInfo.js';

/** `runs`: the newest first. What was chosen stays, also a run that is not listed yet. */
export function firstSelection(
  page: Page,
  runs: readonly RunInfo[],
  chosen: readonly string[] = [],
): string[] {
  if (chosen.length > 0) return [...chosen];
  const ids = (list: readonly RunInfo[], most: number): string[] =>
    list.slice(0, most).map(({ id }) => id);
  if (page === 'compare')
    return ids(
      runs.filter(({ hasReport }) => hasReport),
      2,
    );
  const running = runs.filter(({ state }) => state === 'running');
  return ids([...running, ...runs.filter(({ trained }) => trained), ...runs], 1);
}
