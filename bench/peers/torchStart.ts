/** transformers from the command that starts it to its first sample, score or training step. */
import { fileURLToPath } from 'node:url';
import { runFresh, type FreshRun } from '../support/fresh.js';
import type { StartRequest } from '../support/startRequest.js';
import type { PeerPython } from './python.js';

const script = fileURLToPath(new URL('torchStart.py', import.meta.url));

/** Needs the packages torch and transformers. */
export function torchStart(
  { command }: PeerPython,
  request: StartRequest,
  environment: Readonly<Record<string, string>>,
): Promise<FreshRun> {
  const threads = String(request.threads);
  return runFresh('transformers', [command, script, JSON.stringify(request)], {
    ...environment,
    OMP_NUM_THREADS: threads,
  });
}
