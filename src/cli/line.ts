/**
 * What the launcher and the process that it starts say to each other, over Node IPC. Both are the same
 * program of the same version, so the names alone are checked.
 */
import { isRecord } from '../runs/fields.js';

export type LaunchedMessage =
  /** From now on `interrupt` ends the work with a checkpoint; before, there is nothing to keep. */
  | { type: 'interruptible' }
  /** A signal came here and not, or not yet, to the launcher. */
  | { type: 'interrupted' }
  /** The run that is being worked on. */
  | { type: 'run'; folder: string }
  /** The command has come to its end, whatever its exit code. */
  | { type: 'done' };

export type LauncherMessage = { type: 'interrupt' };

/** Set for the process that the launcher starts, and for no other. */
export const launchedMark = 'CFS_STUDIO_LAUNCHED';
/** Set by people and tests that want one process. */
export const noLauncherMark = 'CFS_STUDIO_NO_LAUNCHER';

/** The terminal's own stderr in that process; its ordinary one is the launcher's to read. */
export const terminalDescriptor = 3;

export function isLaunchedMessage(message: unknown): message is LaunchedMessage {
  if (!isRecord(message)) return false;
  const { type, folder } = message;
  if (type === 'run') return typeof folder === 'string';
  return type === 'interruptible' || type === 'interrupted' || type === 'done';
}

export function isInterrupt(message: unknown): message is LauncherMessage {
  return isRecord(message) && message['type'] === 'interrupt';
}
