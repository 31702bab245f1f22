/**
 * A run of the editor has a folder before its engine has looked at anything. One that is refused then
 * leaves none, as in a terminal.
 */
import { readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { RunEvent } from '../protocol/records.js';
import { readEvents, type RunFolder } from './runFolder.js';

/**
 * Removes the folder of a run that failed at its first start, where nothing was done and nothing lies
 * but what a start writes. Returns whether it did. Throws what reading the log and the folder throws.
 */
export function removeRefused(run: RunFolder): boolean {
  const { folder, paths } = run;
  const ofStart = [paths.config, paths.identity, paths.events, paths.logs].map((path) =>
    basename(path),
  );
  const logs = [paths.samples, paths.klSamples].map((path) => basename(path));
  const isOfStart = (name: string): boolean =>
    ofStart.includes(name) || (logs.includes(name) && statSync(join(folder, name)).size === 0);
  const names = readdirSync(folder);
  if (!names.every(isOfStart) || readEvents(run).some(isWork)) return false;
  for (const name of names) rmSync(join(folder, name));
  // Fails where somebody has written into it meanwhile.
  rmdirSync(folder);
  return true;
}

function isWork(event: RunEvent): boolean {
  if (event.type === 'phase') return event.phase !== 'loading' && event.phase !== 'preparing';
  return !['run_started', 'bos_found', 'warning', 'run_failed'].includes(event.type);
}
