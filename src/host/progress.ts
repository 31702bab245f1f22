/** Progress of work that is usually over at once: a notification only when it takes a while. */
import * as vscode from 'vscode';
import type { Studio } from './studio.js';
import { withProgress } from './ui.js';

const patienceMs = 400;

/** Runs `work`; when it takes a while, says so with the rows that the preview process has read. */
export async function withReadingProgress<T>(
  { preview }: Pick<Studio, 'preview'>,
  title: string,
  work: () => Promise<T>,
): Promise<T> {
  const result = work();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'slow'>((resolve) => {
    timer = setTimeout(() => resolve('slow'), patienceMs);
  });
  try {
    if ((await Promise.race([result, patience])) !== 'slow') return await result;
  } finally {
    clearTimeout(timer);
  }
  return withProgress({ title }, async (report) => {
    const reading = preview.onReading(({ rows }) => {
      report(vscode.l10n.t('{0} rows read', rows.toLocaleString('en')));
    });
    try {
      return await result;
    } finally {
      reading.dispose();
    }
  });
}
