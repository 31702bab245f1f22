/**
 * Problems of datasets in the Problems panel. A dataset that was checked once stays watched: it is
 * checked again when it is saved, here or elsewhere, and forgotten when it is deleted.
 */
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { DatasetReport } from '../protocol/datasetReport.js';
import { problemNotes, type ProblemNote } from './datasetProblems.js';
import { showError } from './errors.js';
import type { Studio } from './studio.js';
import { diagnostic } from './ui.js';

export interface DatasetDiagnostics extends vscode.Disposable {
  /**
   * Checks files as one dataset and shows their problems. Throws what the preview process throws,
   * `DATASET_UNREADABLE` for instance.
   */
  check(files: readonly string[]): Promise<DatasetReport>;
}

/** Reading 200,000 rows takes seconds, and a slow disk longer. */
const timeoutMs = 10 * 60_000;
/** Other programs write a file in several pieces. */
const settleMs = 200;

interface Watched extends vscode.Disposable {
  /** The files it was last checked with. */
  files: readonly string[];
  /** Checks it again once it rests: a save here is also seen by the watcher. */
  soon(): void;
}

export function createDatasetDiagnostics(
  studio: Pick<Studio, 'preview' | 'log'>,
): DatasetDiagnostics {
  const collection = vscode.languages.createDiagnosticCollection('cfs');
  const watched = new Map<string, Watched>();
  /** Per file the newest check, so that an older one that ends later shows nothing. */
  const newest = new Map<string, symbol>();

  const check = async (files: readonly string[]): Promise<DatasetReport> => {
    const self = Symbol();
    for (const file of files) {
      newest.set(file, self);
      watch(file, files);
    }
    const report = await studio.preview.request(
      'validateDataset',
      { files: [...files] },
      { timeoutMs },
    );
    for (const [file, notes] of problemNotes(report, files)) {
      if (newest.get(file) === self) collection.set(vscode.Uri.file(file), notes.map(diagnosticOf));
    }
    return report;
  };

  const checkAgain = (file: string): void => {
    const files = watched.get(file)?.files;
    if (files) check(files).catch((error: unknown) => void showError(error, studio));
  };

  const forget = (file: string): void => {
    collection.delete(vscode.Uri.file(file));
    newest.delete(file);
    watched.get(file)?.dispose();
    watched.delete(file);
  };

  const watch = (file: string, files: readonly string[]): void => {
    const known = watched.get(file);
    if (known) {
      known.files = files;
      return;
    }
    const pattern = new vscode.RelativePattern(vscode.Uri.file(dirname(file)), escape(file));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    let timer: NodeJS.Timeout | undefined;
    const soon = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => checkAgain(file), settleMs);
    };
    watcher.onDidChange(soon);
    // Some programs save by deleting the file and writing it again.
    watcher.onDidCreate(soon);
    watcher.onDidDelete(() => forget(file));
    watched.set(file, {
      files,
      soon,
      dispose: () => {
        clearTimeout(timer);
        watcher.dispose();
      },
    });
  };

  // A watcher may be late or, on some network disks, silent; saving here must always count.
  const saving = vscode.workspace.onDidSaveTextDocument(({ uri }) => {
    watched.get(uri.fsPath)?.soon();
  });

  return {
    check,
    dispose: () => {
      for (const file of [...watched.keys()]) forget(file);
      saving.dispose();
      collection.dispose();
    },
  };
}

function diagnosticOf({ severity, message, code, line, column }: ProblemNote): vscode.Diagnostic {
  const range = new vscode.Range(line, column, line, endOfLine);
  const result = diagnostic(
    range,
    message,
    severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning,
  );
  result.source = 'CFS';
  result.code = code;
  return result;
}

/** Longer than any line; the editor stops at the real end. */
const endOfLine = 1_000_000;

/** A file name that is its own glob pattern. */
function escape(file: string): string {
  return basename(file).replace(/[?*[\]{}]/g, (sign) => `[${sign}]`);
}
