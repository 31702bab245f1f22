/**
 * Plain tables for a terminal.
 */
import { visibleLine } from '../text.js';

/** Rows of equal length as lines with aligned columns; those named in `right` to the right. */
export function formatTable(cells: readonly string[][], right: readonly number[] = []): string {
  // Before they are measured: what is written out is longer.
  const rows = cells.map((row) => row.map(visibleLine));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => [...(row[column] ?? '')].length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - [...cell].length);
        return right.includes(column) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
