/** The host's side of the curves page: the events of the runs it draws, results, and its exports. */
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { CfsError } from '../../errors.js';
import type { RunResults } from '../../protocol/records.js';
import { readResults } from '../../runs/runFolder.js';
import { requireTrust } from '../workspace.js';
import type { Studio } from '../studio.js';
import type { PageSide, Tell } from './side.js';
import { logProblem } from './webview.js';

/** Events of one message: a page that is drawing must not wait long for it. */
const chunkSize = 500;

export function createCurvesSide(
  studio: Studio,
  tell: Tell,
): PageSide<'watch' | 'results' | 'saveFile'> {
  const { library } = studio;
  const watched = new Map<string, vscode.Disposable>();

  const follow = (runId: string): vscode.Disposable =>
    library.follow(runId, (events, first) => {
      let at = 0;
      do {
        const isFirst = first && at === 0;
        tell('history', { runId, first: isFirst, events: events.slice(at, at + chunkSize) });
        at += chunkSize;
      } while (at < events.length);
    });

  const unwatch = (runId: string): void => {
    watched.get(runId)?.dispose();
    watched.delete(runId);
  };

  return {
    handlers: {
      watch: ({ runIds }) => {
        for (const runId of [...watched.keys()]) if (!runIds.includes(runId)) unwatch(runId);
        for (const runId of runIds) {
          if (!watched.has(runId)) watched.set(runId, follow(runId));
        }
        return {};
      },
      results: ({ runIds }) => ({
        results: runIds.map((runId) => ({ runId, results: resultsOf(studio, runId) })),
      }),
      saveFile: async ({ name, kind, data }) => {
        requireTrust();
        const folder = vscode.Uri.file(studio.workspace());
        const target = await vscode.window.showSaveDialog({
          defaultUri: vscode.Uri.joinPath(folder, basename(name)),
          filters: kind === 'png' ? { Picture: ['png'] } : { Table: ['csv'] },
        });
        if (!target) return {};
        await vscode.workspace.fs.writeFile(
          target,
          Buffer.from(data, kind === 'png' ? 'base64' : 'utf8'),
        );
        return { path: target.fsPath };
      },
    },
    rest: () => {
      for (const runId of [...watched.keys()]) unwatch(runId);
    },
  };
}

/** A run that cannot be read is drawn without results, and the log says why. */
export function resultsOf({ library, log }: Studio, runId: string): RunResults | undefined {
  if (!library.get(runId)) return undefined;
  try {
    return readResults(library.open(runId));
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    logProblem(log, 'The results of a run cannot be shown', error);
    return undefined;
  }
}
