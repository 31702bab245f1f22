/** What the commands work with; there is none of it before the folder is trusted. */
import type { DatasetDiagnostics } from '../diagnostics.js';
import type { RunActions, Studio } from '../studio.js';

export interface Parts {
  studio: Studio;
  actions: RunActions;
  diagnostics: DatasetDiagnostics;
}

/** A command with whatever the palette, a menu or a link calls it with. */
export type Command = (parts: Parts, ...args: readonly unknown[]) => unknown;
