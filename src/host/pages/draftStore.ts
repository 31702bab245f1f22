/**
 * The draft of the mix page as the workspace remembers it, and the run that was made of it: one run
 * for each time that a person asks for one, however often the question arrives.
 */
import { CfsError } from '../../errors.js';
import type { Until } from '../../protocol/engine.js';
import type { FieldProblem } from '../../protocol/panel.js';
import { checkConfigData } from '../../runs/configForm.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { settingChanges, type SettingChanges } from '../../runs/reviseRun.js';
import { runState, type RunFolder } from '../../runs/runFolder.js';
import type { Draft, Studio } from '../studio.js';
import { newDraft, readDraft, type KeptDraft } from './draft.js';
import { logProblem } from './webview.js';

const draftKey = 'cfs.mixDraft';

export interface DraftStore {
  read(): KeptDraft;
  keep(draft: KeptDraft): void;
  /** Keeps the values of a page. Throws `DRAFT_REPLACED` where it has those of another draft. */
  take(from: { draft: string; values: Draft }): KeptDraft;
  /** The run that was made of the draft; undefined where there is none, or it was deleted. */
  run(): RunFolder | undefined;
  /** How the draft's run and `config` differ; undefined where there is no run. */
  changes(config: RunConfig): SettingChanges | undefined;
  /** Makes a run of the draft; the one that `request` has made already. Throws `CONFIG_INVALID`. */
  start(until: Until, request?: string): RunFolder;
  /** Resumes the draft's run to its end with the draft's settings. Throws what `resumeWith` throws. */
  continueRun(): RunFolder;
  /** See `PanelHost.generateSamples`. */
  generateSamples(): RunFolder | undefined;
}

export function createDraftStore({ context, log, library, service }: Studio): DraftStore {
  const { workspaceState } = context;
  const keep = (draft: KeptDraft): void => {
    workspaceState.update(draftKey, draft).then(undefined, (error: unknown) => {
      logProblem(log, 'The settings of the mix page could not be saved', error);
    });
  };
  const read = (): KeptDraft => {
    const kept = readDraft(workspaceState.get(draftKey));
    if (kept !== undefined) return kept;
    const draft = newDraft({});
    keep(draft);
    return draft;
  };

  const run = (): RunFolder | undefined => {
    const { run } = read();
    if (run === undefined) return undefined;
    try {
      return library.open(run.id);
    } catch (error) {
      if (error instanceof CfsError) return undefined;
      throw error;
    }
  };

  const changes = (config: RunConfig): SettingChanges | undefined => {
    const made = run();
    return made && settingChanges(made.config, config);
  };

  const start = (until: Until, request?: string): RunFolder => {
    const draft = read();
    const made = request !== undefined && draft.run?.request === request ? run() : undefined;
    if (made !== undefined) return made;
    const started = service.start(requireConfig(draft.values), until);
    keep({ ...draft, run: { id: started.id, request } });
    return started;
  };

  return {
    read,
    keep,
    take: ({ draft: id, values }) => {
      const draft = read();
      if (draft.id !== id) throw replaced();
      const taken = { ...draft, values };
      keep(taken);
      return taken;
    },
    run,
    changes,
    start,
    continueRun: () => {
      const made = run();
      if (made === undefined) throw noRun();
      service.resumeWith(made.id, requireConfig(read().values));
      return made;
    },
    generateSamples: () => {
      const check = checkConfigData(read().values);
      if ('problems' in check) return undefined;
      const made = run();
      const isSame = changes(check.config)?.settings.length === 0;
      const isThere = made !== undefined && isSame && runState(made) !== 'finished';
      return isThere ? made : start('samples');
    },
  };
}

/** Throws `CONFIG_INVALID`. */
function requireConfig(values: Draft): RunConfig {
  const check = checkConfigData(values);
  if ('problems' in check) throw notReady(check.problems);
  return check.config;
}

function notReady([first]: readonly FieldProblem[]): CfsError {
  return new CfsError({
    code: 'CONFIG_INVALID',
    message: first?.message ?? 'The settings are not complete.',
    remedy: 'Correct the field, then start again.',
    place: { field: first?.field },
  });
}

function replaced(): CfsError {
  return new CfsError({
    code: 'DRAFT_REPLACED',
    message: 'These are no longer the settings of this page: another dataset or run was opened.',
    remedy: 'Look at the settings shown now, then try again.',
  });
}

function noRun(): CfsError {
  return new CfsError({
    code: 'RUN_NOT_FOUND',
    message: 'The run with these samples is no longer there.',
    remedy: 'Start a new run with these settings.',
  });
}
