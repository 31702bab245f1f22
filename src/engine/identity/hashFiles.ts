/**
 * SHA-256 of files that may have many GB, beside the work that does not need it: in a thread of its
 * own, each file once. What is known of a file is kept in the user's cache folder and found again by
 * device, inode, size and times, so that a resumed run reads nothing twice.
 */
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { CfsError, defined } from '../../errors.js';
import { readError } from '../../files.js';
import { fileStamp } from '../../fileStamp.js';
import { openHashCache } from './hashCache.js';

export interface Hashing {
  /**
   * Hashes of all files, by path. Rejects with `READ_FAILED`, and `FILE_CHANGED` for a file that was
   * written while it was read.
   */
  hashes: Promise<ReadonlyMap<string, string>>;
  /** Ends the work; `hashes` may then stay open forever. */
  stop: () => void;
}

/**
 * Plain JavaScript of its own, since a worker cannot be started from TypeScript, nor from a bundle
 * whose file names change.
 */
const workerSource = `
const { closeSync, openSync, readSync } = require('node:fs');
const { createHash } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');
const piece = Buffer.allocUnsafeSlow(4 << 20);
for (const file of workerData) {
  try {
    const hash = createHash('sha256');
    const descriptor = openSync(file, 'r');
    for (let read; (read = readSync(descriptor, piece)) > 0; ) hash.update(piece.subarray(0, read));
    closeSync(descriptor);
    parentPort.postMessage({ file, hash: hash.digest('hex') });
  } catch (error) {
    parentPort.postMessage({ file, problem: { code: error.code, message: error.message } });
    break;
  }
}`;

const answerSchema = z.union([
  z.object({ file: z.string(), hash: z.string() }),
  z.object({
    file: z.string(),
    problem: z.object({ code: z.string().optional(), message: z.string() }),
  }),
]);

/**
 * Starts to hash `files`, absolute paths. `verify`: reads all of them again, whatever the cache knows.
 */
export function hashFiles(files: readonly string[], { verify }: { verify: boolean }): Hashing {
  const cache = openHashCache();
  const found = new Map<string, string>();
  const stamps = new Map<string, string>();
  let worker: Worker | undefined;

  const hash = async (): Promise<ReadonlyMap<string, string>> => {
    for (const file of new Set(files)) {
      const stamp = fileStamp(file);
      stamps.set(file, stamp);
      const known = verify ? undefined : cache.get(stamp);
      if (known !== undefined) found.set(file, known);
    }
    const unknown = [...stamps.keys()].filter((file) => !found.has(file));
    if (unknown.length === 0) return found;
    worker = new Worker(workerSource, { eval: true, workerData: unknown });
    for (const answer of await answersOf(worker)) {
      const { file } = answer;
      if ('problem' in answer) {
        const { code, message } = answer.problem;
        throw readError(file, Object.assign(new Error(message), { code }));
      }
      const stamp = defined(stamps.get(file), 'stamp');
      if (fileStamp(file) !== stamp) throw changed(file);
      found.set(file, answer.hash);
      cache.set(stamp, answer.hash);
    }
    cache.save();
    return found;
  };

  const hashes = hash();
  // Whoever waits for it hears of a failure; until then it is nobody's.
  hashes.catch(() => undefined);
  return { hashes, stop: () => void worker?.terminate() };
}

/** What the worker found, once it has ended. */
function answersOf(worker: Worker): Promise<z.infer<typeof answerSchema>[]> {
  return new Promise((done, fail) => {
    const answers: unknown[] = [];
    worker.on('message', (answer: unknown) => answers.push(answer));
    worker.on('error', fail);
    worker.on('exit', () => done(z.array(answerSchema).parse(answers)));
  });
}

function changed(file: string): CfsError {
  return new CfsError({
    code: 'FILE_CHANGED',
    message: 'This file was written while the run was reading it.',
    remedy:
      'Wait until the file is complete, for instance until its download has ended; then start again.',
    place: { file },
  });
}
