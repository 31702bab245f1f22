/**
 * Ends this process some time after the one that started it is gone. Usually `disconnect` tells, and
 * whoever hears it ends in order; but a main thread that is busy hears nothing, and would go on for
 * nobody until it is through, or forever. So a thread of its own looks.
 */
import { startSideThread } from './sideThread.js';

/** How often it looks. */
const lookMs = 1000;

/**
 * The parent of an orphan is another process; Windows never changes it, but has no such process then.
 * Only a signal ends a process whose main thread is busy.
 */
const watch = `
const { workerData: { parent, patience, everyMs } } = require('node:worker_threads');
const isGone = () => {
  if (process.ppid !== parent) return true;
  try {
    process.kill(parent, 0);
    return false;
  } catch ({ code }) {
    return code === 'ESRCH';
  }
};
let goneAt;
setInterval(() => {
  if (!isGone()) return;
  goneAt ??= performance.now();
  if (performance.now() - goneAt >= patience[0]) process.kill(process.pid, 'SIGKILL');
}, everyMs);
`;

/**
 * From now on, without its parent, this process has `patienceMs` to end by itself. The returned
 * function changes that.
 */
export function watchParent(patienceMs: number): (patienceMs: number) => void {
  const patience = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  patience[0] = patienceMs;
  startSideThread(watch, { parent: process.ppid, patience, everyMs: lookMs });
  return (changedMs) => void (patience[0] = changedMs);
}
