/**
 * A whole job, from the base model's folder to the fine-tuned one, for the terminal and for the
 * process that the editor starts.
 */
import { CfsError } from '../errors.js';
import type { RunEvent } from '../protocol/records.js';
import type { RunFolder } from '../runs/runFolder.js';

export interface JobOptions {
  run: RunFolder;
  /** Go on from the last checkpoint. */
  resume: boolean;
  /** When it is aborted, the job writes a checkpoint, reports `run_stopped` and returns. */
  signal: AbortSignal;
  /** Called after the event is on disk. */
  onEvent: (event: RunEvent) => void;
}

/** Throws the `CfsError` that ended the job, after reporting `run_failed`. */
export const runJob: (options: JobOptions) => Promise<void> = () => {
  throw new CfsError({
    code: 'NOT_BUILT',
    message: 'The job runner is not built yet.',
    remedy: 'Wait for the commit that adds it.',
  });
};
