/** The phase that reads the data: dataset and held-out rows. */
import { requireValid } from '../../mixer/dataset.js';
import type { RowStore } from '../../mixer/rowStore.js';
import { progress, warning } from '../context.js';
import { loadDownstream, loadSources, splitRows } from '../dataset.js';
import type { Phase } from './phase.js';

export interface Prepared {
  /** The rows that are trained on. */
  rows: RowStore;
  /** Held-out rows; undefined where the configuration asks for none. */
  downstream: RowStore | undefined;
}

/** Throws `DATASET_INVALID` for a dataset with errors. */
export const prepare: Phase<void, Prepared> = {
  name: 'preparing',
  plan: () => [],
  run: async ({ config, model, report }) => {
    report(progress('preparing', 0, 0));
    const { rows, report: found } = await loadSources(config.dataset, config, model);
    requireValid(found);
    if (found.warnings > 0) {
      const counts = Object.entries(found.counts).map(([code, count]) => `${count} × ${code}`);
      report(
        warning({
          code: 'DATASET_WARNINGS',
          message: `Rows left out: ${found.rows - found.kept}; rows truncated: ${found.truncated} (${counts.join(', ')}).`,
          remedy: 'Run `cfs-studio validate` to see them by line.',
        }),
      );
    }
    const { trained, heldOut } = splitRows(rows, config);
    return { rows: trained, downstream: heldOut ?? (await loadDownstream(config, model)) };
  },
};
