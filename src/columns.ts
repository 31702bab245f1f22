/** What the first row of a table in CSV or TSV has to be, for the rows of datasets and of tasks. */
import { visibleLine } from './text.js';

/** Beyond it the separator or a line end is not what was meant; each row costs an object of this size. */
export const mostColumns = 10_000;

export interface HeaderFault {
  message: string;
  remedy: string;
  /** The column that is at fault. */
  field?: string;
}

/** What is wrong with the names of the columns, if something is. */
export function headerFault(names: readonly string[]): HeaderFault | undefined {
  if (names.length > mostColumns) {
    return {
      message: `The first row has ${names.length} columns; at most ${mostColumns} are read.`,
      remedy: 'Check the separator and the line ends of the file, or remove columns.',
    };
  }
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) {
      return {
        message: `Two columns are named "${visibleLine(name)}".`,
        remedy: 'Give each column in the first row its own name.',
        field: name,
      };
    }
    seen.add(name);
  }
  return undefined;
}
