/** The commands about samples and the mix: generate them, read them, set how they are mixed. */
import * as vscode from 'vscode';
import type { Draft, Studio } from '../studio.js';
import { runIdOf } from '../runsTree.js';
import { showInfo } from '../ui.js';
import { requireWorkspace } from '../workspace.js';
import { draftFor } from './fineTune.js';
import type { Parts } from './parts.js';
import { pickRun } from './runPicker.js';

/** With the settings of the mix page, which is shown where they are not complete. */
export async function generateSamples({ studio }: Parts): Promise<void> {
  requireWorkspace();
  const runId = studio.panel.generateSamples();
  if (runId !== undefined) return studio.inspector.show(runId);
  studio.panel.show('mix', await firstDraft(studio));
  void showInfo(
    vscode.l10n.t('Choose a base model and a dataset here; then generate the samples.'),
  );
}

export async function inspectSamples({ studio }: Parts, target?: unknown): Promise<void> {
  const withSamples = studio.library.list().filter(({ samples }) => samples > 0);
  const runId =
    runIdOf(target) ??
    (await pickRun(withSamples, {
      title: vscode.l10n.t('Choose the run whose samples to inspect'),
      none: vscode.l10n.t('No run has samples yet. Generate some first.'),
    }));
  if (runId !== undefined) studio.inspector.show(runId);
}

export async function configureMix({ studio }: Parts): Promise<void> {
  studio.panel.show('mix', await firstDraft(studio));
}

/** Nothing where the page has something already: a draft must not be lost by looking at it. */
async function firstDraft(studio: Studio): Promise<{ draft?: Draft }> {
  if (Object.keys(studio.panel.draft).length > 0) return {};
  return { draft: await draftFor(studio, []) };
}
