/** The phase that reads the data and makes sure of all that can be known before anything is computed. */
import type { RowStore } from '../../mixer/rowStore.js';
import { progress, warning, type Preparation } from '../context.js';
import { loadRunRows } from '../dataset.js';
import { requireSound } from '../preflight.js';
import type { Phase } from './phase.js';

export interface Prepared {
  /** The rows that are trained on. */
  rows: RowStore;
  /** Held-out rows; undefined where the configuration asks for none. */
  downstream: RowStore | undefined;
}

/** Throws `DATASET_INVALID` for a dataset with errors, and the first error of the preflight. */
export const prepare = {
  name: 'preparing',
  plan: () => [],
  run: async ({ run, config, model, device, checked, report }: Preparation) => {
    report(progress('preparing', 0, 0));
    const { trained, downstream, report: found } = checked ?? (await loadRunRows(config, model));
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
    if (!checked) {
      const { provider } = device;
      await requireSound({ config, model, rows: trained, provider, place: { run } });
    }
    return { rows: trained, downstream };
  },
} satisfies Phase<void, Prepared>;
