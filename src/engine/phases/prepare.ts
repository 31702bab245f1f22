/** The phase that reads the data and makes sure of all that can be known before anything is computed. */
import { basename } from 'node:path';
import { CfsError } from '../../errors.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { DatasetReport } from '../../protocol/datasetReport.js';
import { eventsOf } from '../../protocol/history.js';
import { readEvents } from '../../runs/runFolder.js';
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

/**
 * Throws `DATASET_INVALID` for a dataset with errors, and the first error of the preflight. Warnings
 * of both are said once in the life of a run.
 */
export const prepare = {
  name: 'preparing',
  plan: () => [],
  run: async ({ run, config, model, device, checked, report }: Preparation) => {
    report(progress('preparing', 0, 0));
    const told = new Set(eventsOf(readEvents(run), 'warning').map(({ message }) => message));
    const warn = (problem: CfsError): void => {
      if (!told.has(problem.message)) report(warning(problem));
    };
    const { trained, downstream, report: found } = checked ?? (await loadRunRows(config, model));
    if (found.warnings > 0) warn(datasetWarning(found));
    const { provider } = device;
    const place = { run };
    const facts = { config, model, rows: trained, downstream, provider, place };
    const warnings = checked?.warnings ?? (await requireSound(facts));
    warnings.forEach(warn);
    return { rows: trained, downstream };
  },
} satisfies Phase<void, Prepared>;

/** What a person may name in one line. */
const mostColumns = 8;

function datasetWarning({ rows, kept, truncated, counts, files }: DatasetReport): CfsError {
  const codes = Object.entries(counts)
    .filter(([code]) => code !== 'COLUMNS_UNUSED')
    .map(([code, count]) => `${count} × ${code}`);
  const unused = files
    .filter(({ unusedColumns }) => unusedColumns.length > 0)
    .map(({ file, shape, unusedColumns: names }) => {
      const more = names.length > mostColumns ? ', …' : '';
      const listed = names.slice(0, mostColumns).join(', ') + more;
      return `${basename(file)} is read as ${shape}; these columns are not used: ${listed}.`;
    });
  const parts = [
    ...(codes.length === 0
      ? []
      : [`Rows left out: ${rows - kept}; rows truncated: ${truncated} (${codes.join(', ')}).`]),
    ...unused,
  ];
  const remedies = [
    ...(codes.length === 0 ? [] : ['Run `cfs-studio validate` to see them by line.']),
    ...(unused.length === 0
      ? []
      : ['If one of the columns matters, map it with `columns` or use it in a template.']),
  ];
  return new CfsError({
    code: 'DATASET_WARNINGS',
    message: parts.join(' '),
    remedy: remedies.join(' '),
  });
}
