/** What the phases of a job share. */
import type { ErrorDetails } from '../errors.js';
import type { Phase as PhaseName, RunEvent, RunEventOf } from '../protocol/records.js';
import type { Decoders } from '../model/decoder.js';
import type { Device } from '../runtime/index.js';
import type { RunConfig } from '../runs/configSchema.js';
import type { IdentityRecord } from '../runs/identity.js';
import type { RunFolder } from '../runs/runFolder.js';
import type { RunWriter } from '../runs/runWriter.js';
import type { ParameterStore } from '../trainer/store.js';
import type { BaseModel } from './baseModel.js';
import type { CheckedRun } from './dataset.js';
import type { Model } from './model.js';
import { now } from './progress.js';

/** What is there before the weights are. */
export interface Preparation {
  run: RunFolder;
  config: RunConfig;
  writer: RunWriter;
  signal: AbortSignal;
  report: (event: RunEvent) => void;
  device: Device;
  model: Model;
  /** The rows, where they were read and found sound just before the job. */
  checked?: CheckedRun | undefined;
  /** What the run is made from; settled before it is used. */
  identity: IdentityRecord;
}

export interface Job extends Preparation {
  store: ParameterStore;
  base: BaseModel;
  /** For samples and for what tasks have written; each phase releases their sessions. */
  decoders: Decoders;
}

/** A warning of the run's log. */
export function warning(
  details: Pick<ErrorDetails, 'code' | 'message' | 'remedy'>,
): RunEventOf<'warning'> {
  const { code, message, remedy } = details;
  return { type: 'warning', time: now(), code, message, remedy };
}

/** What a run's log says without warning of it. */
export function note(details: Pick<ErrorDetails, 'code' | 'message' | 'remedy'>): RunEvent {
  return { ...warning(details), level: 'note' };
}

/** How far a phase is: units of work done and in all; `total` is 0 while it is not known. */
export function progress(phase: PhaseName, done: number, total: number): RunEvent {
  return { type: 'phase', time: now(), phase, progress: done, total };
}
