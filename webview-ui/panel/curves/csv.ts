/** Curves as a table for other programs: tidy, one measurement a row. */
import type { ChartSpec } from './series.js';

const columns = 'run,method,step,task,metric,score,stderr,n,change';

/** RFC 4180, with a line for each point of each line; what is not known is empty. */
export function toCsv(specs: readonly Pick<ChartSpec, 'lines'>[]): string {
  const rows = specs
    .flatMap(({ lines }) => lines)
    .flatMap(({ run, method, task, metric, points }) =>
      points.map(({ step, score, stderr, n, change }) =>
        [run, method, step, task, metric, score, stderr, n, change].map(field).join(','),
      ),
    );
  return `${[columns, ...rows].join('\r\n')}\r\n`;
}

function field(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  // A spreadsheet takes text that begins so for a formula; the quote makes it text again.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
