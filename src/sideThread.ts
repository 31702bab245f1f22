/**
 * A small thread beside the main one, for what must go on while that one is blocked: a training step or
 * the creation of a session takes a minute and more.
 */
import { Worker } from 'node:worker_threads';

/**
 * Starts a thread that keeps nothing alive and ends nothing if it fails. Its script is text, because
 * bundles and tests would each need the file of a thread in another place.
 */
export function startSideThread(script: string, workerData: unknown): Worker {
  const worker = new Worker(script, {
    eval: true,
    workerData,
    // Loaders of the main thread have nothing to do in this one.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
  });
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}
