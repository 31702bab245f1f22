/**
 * The host's side of the mix page: keeps what is typed into the form, asks the preview process what
 * it would do, fills in what suits model and dataset, and starts the run.
 */
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import { CfsError } from '../../errors.js';
import type { Until } from '../../protocol/engine.js';
import type { MixState } from '../../protocol/panel.js';
import type { PreviewData } from '../../protocol/preview.js';
import { checkConfigData, configFormSchema } from '../../runs/configForm.js';
import { valueAt } from '../../runs/fields.js';
import type { RunFolder } from '../../runs/runFolder.js';
import { suggestSettings } from '../../runs/suggest.js';
import { openPlace } from '../errors.js';
import type { Draft, Studio } from '../studio.js';
import { preferredModel, requireTrust } from '../workspace.js';
import {
  absoluteDraft,
  applySuggestions,
  atFields,
  datasetPaths,
  fieldProblem,
  shownDraft,
  shownPath,
  suggestionKey,
} from './draft.js';
import type { DraftStore } from './draftStore.js';
import type { PageSide, Tell } from './side.js';
import { own } from '../../own.js';

/** A first look at a large dataset takes its time. */
const previewTimeoutMs = 10 * 60_000;

const datasetFilter = { Datasets: ['jsonl', 'json', 'csv'], 'All Files': ['*'] };
const filters: Record<string, Record<string, string[]>> = {
  dataset: datasetFilter,
  'evaluation.downstream': datasetFilter,
  'evaluation.tasks': { Tasks: ['yaml', 'yml'], 'All Files': ['*'] },
};

export interface MixSide extends PageSide<
  'mixState' | 'preview' | 'pickPaths' | 'start' | 'continueRun' | 'openFile'
> {
  /** The form was changed from outside, or what is allowed has. */
  tellState(): void;
  dispose(): void;
}

/** `started` is called for every run that was started or continued here. */
export function createMixSide(
  studio: Studio,
  store: DraftStore,
  tell: Tell,
  started: (run: RunFolder, until: Until) => void,
): MixSide {
  let awake = false;
  const reading = studio.preview.onReading((progress) => {
    if (awake) tell('previewProgress', progress);
  });

  // A corrected row changes what the preview says.
  const saving = vscode.workspace.onDidSaveTextDocument(({ uri }) => {
    if (awake && datasetPaths(store.read().values).includes(uri.fsPath)) tell('mixState', state());
  });

  const state = (): MixState => {
    const { id, values, suggested } = store.read();
    const run = store.run();
    return {
      draft: id,
      schema: configFormSchema(),
      values: inFolder((folder) => shownDraft(values, folder), values),
      suggested,
      ...(run && { run: { id: run.id, file: run.paths.config } }),
      blocked: blockedBy(studio),
    };
  };

  /** Paths are shown from the workspace, where there is one. */
  const inFolder = <T>(change: (folder: string) => T, otherwise: T): T =>
    blockedBy(studio) === undefined ? change(studio.workspace()) : otherwise;
  /** Keeps what the page has; throws `DRAFT_REPLACED`. */
  const take = ({ draft, values }: { draft: string; values: Draft }): Draft =>
    store.take({ draft, values: inFolder((folder) => absoluteDraft(values, folder), values) })
      .values;

  /** Once for each model and dataset: what a person changes afterwards stays as it is. */
  const suggest = (values: Draft, { model, dataset }: PreviewData): void => {
    const key = suggestionKey(values);
    const draft = store.read();
    if (draft.suggestedFor === key || suggestionKey(draft.values) !== key) return;
    const filled = applySuggestions(draft, { ...suggestSettings(model, dataset) }, key);
    store.keep(filled);
    tell('mixState', state());
  };

  const answer = (run: RunFolder, until: Until): { runId: string; file: string } => {
    started(run, until);
    return { runId: run.id, file: run.paths.config };
  };

  return {
    handlers: {
      mixState: async () => {
        awake = true;
        if (store.read().values.model === undefined) {
          const model = await preferredModel(studio);
          const draft = store.read();
          if (model !== undefined) store.keep({ ...draft, values: { ...draft.values, model } });
        }
        return state();
      },
      preview: async (asked) => {
        awake = true;
        const values = take(asked);
        // The page shows why nothing is run here; neither is the preview.
        if (blockedBy(studio) !== undefined) return { problems: [] };
        const check = checkConfigData(values);
        if ('problems' in check) return check;
        try {
          const preview = await studio.preview.request(
            'preview',
            { config: check.config, folder: studio.workspace() },
            { timeoutMs: previewTimeoutMs },
          );
          suggest(values, preview);
          const changes = store.changes(check.config);
          return { ...atFields(preview.findings), preview, changes };
        } catch (error) {
          if (!(error instanceof CfsError)) throw error;
          const problem = fieldProblem(error);
          if (problem.field === '') throw error;
          return { problems: [problem] };
        }
      },
      pickPaths: async ({ kind, field }) => {
        const chosen = await vscode.window.showOpenDialog({
          canSelectFiles: kind !== 'folder',
          canSelectFolders: kind === 'folder',
          canSelectMany: kind === 'files',
          defaultUri: startFolder(studio, store.read().values, field),
          ...(kind === 'folder' ? {} : { filters: own(filters, withoutIndex(field)) }),
        });
        const paths = (chosen ?? []).map(({ fsPath }) => fsPath);
        return { paths: inFolder((folder) => paths.map((path) => shownPath(path, folder)), paths) };
      },
      start: ({ until, request, ...asked }) => {
        requireTrust();
        take(asked);
        return answer(store.start(until, request), until);
      },
      continueRun: (asked) => {
        requireTrust();
        take(asked);
        return answer(store.continueRun(), 'end');
      },
      openFile: async ({ file, line }) => {
        await openPlace({ file: inFolder((folder) => resolve(folder, file), file), line });
        return {};
      },
    },
    tellState: () => tell('mixState', state()),
    rest: () => {
      awake = false;
    },
    dispose: () => {
      reading.dispose();
      saving.dispose();
    },
  };
}

/** Why nothing can be started here. */
function blockedBy(studio: Studio): string | undefined {
  try {
    requireTrust();
    studio.workspace();
    return undefined;
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    return `${error.message} ${error.remedy}`;
  }
}

/** Where a dialog begins: beside what is chosen already, else in the workspace. */
function startFolder(studio: Studio, values: Draft, field: string): vscode.Uri | undefined {
  const value = valueAt(values, withoutIndex(field));
  const [path] = datasetPaths({ dataset: value });
  if (path !== undefined) return vscode.Uri.file(dirname(path));
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  return folder === undefined ? undefined : vscode.Uri.file(studio.workspace());
}

/** `dataset[0].path` belongs to `dataset`. */
function withoutIndex(field: string): string {
  return field.replace(/\[.*$/, '');
}
