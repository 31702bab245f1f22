/**
 * Some of what refuses a run is found when it has a folder already: by the engine of an editor, which
 * looks at nothing before, or as the weights are loaded. Such a run leaves no folder either.
 */
import { readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CfsError } from '../errors.js';
import { isSystemError } from '../files.js';
import type { RunEvent } from '../protocol/records.js';
import { readEvents, type RunFolder } from './runFolder.js';

/**
 * Removes the folder of a run that failed at its first start, where nothing was done and nothing lies
 * but what a start writes. Returns whether it did; a folder that cannot be read or removed stays.
 */
export function removeRefused(run: RunFolder): boolean {
  try {
    return isUntouched(run) && remove(run);
  } catch (error) {
    if (error instanceof CfsError || isSystemError(error)) return false;
    throw error;
  }
}

function isUntouched(run: RunFolder): boolean {
  const { folder, paths } = run;
  const { config, identity, events, logs: ends, stderr } = paths;
  const ofStart = [config, identity, events, ends, stderr].map((path) => basename(path));
  const logs = [paths.samples, paths.klSamples].map((path) => basename(path));
  const isOfStart = (name: string): boolean =>
    ofStart.includes(name) || (logs.includes(name) && statSync(join(folder, name)).size === 0);
  return readdirSync(folder).every(isOfStart) && !readEvents(run).some(isWork);
}

function remove({ folder }: RunFolder): boolean {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  // Fails where somebody has written into it meanwhile.
  rmdirSync(folder);
  return true;
}

function isWork(event: RunEvent): boolean {
  if (event.type === 'phase') return !['loading', 'preparing', 'starting'].includes(event.phase);
  return !['run_started', 'bos_found', 'warning', 'run_failed'].includes(event.type);
}
