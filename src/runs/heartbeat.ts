/**
 * The sign of life of whoever holds a lock. It comes from a thread of its own, because a training step
 * or the creation of a session blocks the main one for a minute and more.
 */
import { Worker } from 'node:worker_threads';

/** How often a lock is touched. */
const beatMs = 10_000;

/**
 * Writes the lock's first character again, so that the file server itself sets the time: clocks of
 * several machines disagree. Never a lock that another process has put in its place. Text, because
 * bundles and tests would each need the file of a thread in another place.
 */
const beat = `
const { workerData: { file, text, everyMs } } = require('node:worker_threads');
const { closeSync, openSync, readFileSync, writeSync } = require('node:fs');
setInterval(() => {
  try {
    if (readFileSync(file, 'utf8') !== text) return;
    const descriptor = openSync(file, 'r+');
    try {
      writeSync(descriptor, text[0], 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The drive is away for a moment, or the lock is gone: its holder finds out before it writes.
  }
}, everyMs);
`;

/** Touches `file` now and again, as long as it holds `text`. The returned function ends that. */
export function startHeartbeat(file: string, text: string, everyMs = beatMs): () => void {
  const worker = new Worker(beat, {
    eval: true,
    workerData: { file, text, everyMs },
    // Loaders of the main thread have nothing to do in this one.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
  });
  // A job does not end for want of its heartbeat: if another takes the run over, it finds out.
  worker.on('error', () => undefined);
  worker.unref();
  return () => void worker.terminate();
}
