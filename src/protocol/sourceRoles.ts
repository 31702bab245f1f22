/**
 * The kinds of rows that a run trains on, and the words for each, in one place. A run has at most one
 * source of a role; events and checkpoints know it by its id.
 */
import { own } from '../own.js';

export interface SourceRole {
  /** The name of the source on disk. */
  id: string;
  /** Its loss, in curves and reports. */
  label: string;
  /** The source in a table. */
  name: string;
  /** Its rows in a sentence, and the word beside one of them. */
  rows: string;
  row: string;
}

export const sourceRoles: Record<string, SourceRole> = {
  dataset: {
    id: 'dataset',
    label: 'dataset (SFT)',
    name: 'Your dataset',
    rows: 'dataset',
    row: 'Dataset',
  },
  'context-free': {
    id: 'cfs',
    label: 'context-free samples (CFS)',
    name: 'Samples',
    rows: 'samples',
    row: 'Sample',
  },
};

/** The words for a role; for one of a newer version its own name. */
export function sourceRole(role: string): SourceRole {
  return own(sourceRoles, role) ?? { id: role, label: role, name: role, rows: role, row: role };
}

/** What the loss of a source is called; for one of a newer version its id. */
export function sourceLabel(id: string): string {
  return Object.values(sourceRoles).find((role) => role.id === id)?.label ?? id;
}
