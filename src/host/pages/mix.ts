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
import { suggestSettings } from '../../runs/suggest.js';
import { openPlace } from '../errors.js';
import type { Draft, Studio } from '../studio.js';
import { preferredModel, requireTrust } from '../workspace.js';
import {
  absoluteDraft,
  applySuggestions,
  datasetPaths,
  fieldProblem,
  readDraft,
  shownDraft,
  shownPath,
  suggestionKey,
  type KeptDraft,
} from './draft.js';
import type { PageSide, Tell } from './side.js';
import { logProblem } from './webview.js';

const draftKey = 'cfs.mixDraft';
/** A first look at a large dataset takes its time. */
const previewTimeoutMs = 10 * 60_000;

const datasetFilter = { Datasets: ['jsonl', 'json', 'csv'], 'All Files': ['*'] };
const filters: Record<string, Record<string, string[]>> = {
  dataset: datasetFilter,
  'evaluation.downstream': datasetFilter,
  'evaluation.tasks': { Tasks: ['yaml', 'yml'], 'All Files': ['*'] },
};

export interface MixSide extends PageSide<
  'mixState' | 'preview' | 'pickPaths' | 'start' | 'openFile'
> {
  /** The form was changed from outside, or what is allowed has. */
  tellState(): void;
  dispose(): void;
}

/** The draft as this workspace remembers it. */
export interface DraftStore {
  read(): KeptDraft;
  keep(draft: KeptDraft): void;
  /** Sets fields from outside: another dataset, the settings of a run. */
  fill(values: Draft): void;
}

export function createDraftStore({ context, log }: Studio): DraftStore {
  const { workspaceState } = context;
  const read = (): KeptDraft => readDraft(workspaceState.get(draftKey));
  const keep = (draft: KeptDraft): void => {
    workspaceState.update(draftKey, draft).then(undefined, (error: unknown) => {
      logProblem(log, 'The settings of the mix page could not be saved', error);
    });
  };
  return {
    read,
    keep,
    fill: (values) => {
      const draft = read();
      keep({ ...draft, values: { ...draft.values, ...values } });
    },
  };
}

/** `started` is called for every run that was started here. */
export function createMixSide(
  studio: Studio,
  store: DraftStore,
  tell: Tell,
  started: (runId: string, file: string, until: Until) => void,
): MixSide {
  let awake = false;
  const reading = studio.preview.onReading((progress) => {
    if (awake) tell('previewProgress', progress);
  });

  // A corrected row changes what the preview says.
  const saving = vscode.workspace.onDidSaveTextDocument(({ uri }) => {
    if (awake && datasetPaths(store.read().values).includes(uri.fsPath)) tell('mixState', state());
  });

  const state = (): MixState => ({
    schema: configFormSchema(),
    values: inFolder((folder) => shownDraft(store.read().values, folder), store.read().values),
    blocked: blockedBy(studio),
  });

  /** Paths are shown from the workspace, where there is one. */
  const inFolder = <T>(change: (folder: string) => T, otherwise: T): T =>
    blockedBy(studio) === undefined ? change(studio.workspace()) : otherwise;
  const fromPage = (values: Draft): Draft =>
    inFolder((folder) => absoluteDraft(values, folder), values);

  /** Once for each model and dataset: what a person changes afterwards stays as it is. */
  const suggest = (values: Draft, { model, dataset }: PreviewData): void => {
    const key = suggestionKey(values);
    const draft = store.read();
    if (draft.suggestedFor === key || suggestionKey(draft.values) !== key) return;
    const filled = applySuggestions(draft, { ...suggestSettings(model, dataset) }, key);
    store.keep(filled);
    if (JSON.stringify(filled.values) !== JSON.stringify(draft.values)) tell('mixState', state());
  };

  return {
    handlers: {
      mixState: async () => {
        awake = true;
        if (store.read().values.model === undefined) {
          const model = await preferredModel(studio);
          if (model !== undefined) store.fill({ model });
        }
        return state();
      },
      preview: async (asked) => {
        awake = true;
        const values = fromPage(asked.values);
        store.keep({ ...store.read(), values });
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
          return { problems: [], preview };
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
          ...(kind === 'folder' ? {} : { filters: filters[withoutIndex(field)] }),
        });
        const paths = (chosen ?? []).map(({ fsPath }) => fsPath);
        return { paths: inFolder((folder) => paths.map((path) => shownPath(path, folder)), paths) };
      },
      start: ({ until, ...asked }) => {
        requireTrust();
        const values = fromPage(asked.values);
        store.keep({ ...store.read(), values });
        const check = checkConfigData(values);
        if ('problems' in check) throw notReady(check.problems);
        const { id, paths } = studio.service.start(check.config, until);
        started(id, paths.config, until);
        return { runId: id, file: paths.config };
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

function notReady([first]: readonly { field: string; message: string }[]): CfsError {
  return new CfsError({
    code: 'CONFIG_INVALID',
    message: first?.message ?? 'The settings are not complete.',
    remedy: 'Correct the field, then start again.',
    place: { field: first?.field },
  });
}
