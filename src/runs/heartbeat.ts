/**
 * The sign of life of whoever holds a lock. It comes from a thread of its own, because a training step
 * or the creation of a session blocks the main one for a minute and more. The same thread keeps the
 * vitals of the process (`vitals.ts`): memory may run out within such a step.
 */
import { startSideThread } from '../sideThread.js';
import type { VitalsSource } from './vitals.js';

/** How often a lock is touched. */
const beatMs = 10_000;
/** How often the vitals are taken: memory fills up within seconds. It takes 0.3 ms. */
const vitalsMs = 1000;

/**
 * Writes the lock's first character again, so that the file server itself sets the time: clocks of
 * several machines disagree. Never a lock that another process has put in its place.
 */
const beat = `
const { workerData: { file, text, everyMs, vitals, vitalsMs } } = require('node:worker_threads');
const { closeSync, openSync, readFileSync, writeSync } = require('node:fs');
const { totalmem } = require('node:os');
const overwrite = (file, text) => {
  const descriptor = openSync(file, 'r+');
  try {
    writeSync(descriptor, text, 0);
  } finally {
    closeSync(descriptor);
  }
};
setInterval(() => {
  try {
    if (readFileSync(file, 'utf8') === text) overwrite(file, text[0]);
  } catch {
    // The drive is away for a moment, or the lock is gone: its holder finds out before it writes.
  }
}, everyMs);
const readings = () => {
  const found = {};
  for (const { name, file, pattern, scale } of vitals.probes) {
    try {
      const match = new RegExp(pattern, 'm').exec(readFileSync(file, 'utf8'));
      if (match) found[name] = Number(match[1]) * scale;
    } catch {}
  }
  return found;
};
if (vitals) setInterval(() => {
  try {
    const now = {
      ...vitals.fixed,
      time: new Date().toISOString(),
      resident: process.memoryUsage.rss(),
      free: vitals.tellsFree ? process.availableMemory() : undefined,
      total: totalmem(),
      ...readings(),
    };
    if (readFileSync(file, 'utf8') === text) {
      overwrite(vitals.file, JSON.stringify(now).padEnd(vitals.length));
    }
  } catch {
    // As above; the vitals of a moment ago are as good.
  }
}, vitalsMs);
`;

export interface HeartbeatOptions {
  everyMs?: number;
  vitals?: VitalsSource | undefined;
  vitalsEveryMs?: number;
}

/**
 * Touches `file` now and again, as long as it holds `text`, and keeps the vitals. The returned function
 * ends that.
 */
export function startHeartbeat(
  file: string,
  text: string,
  { everyMs = beatMs, vitals, vitalsEveryMs = vitalsMs }: HeartbeatOptions = {},
): () => void {
  // A job does not end for want of its heartbeat: if another takes the run over, it finds out.
  const data = { file, text, everyMs, vitals, vitalsMs: vitalsEveryMs };
  const worker = startSideThread(beat, data);
  return () => void worker.terminate();
}
