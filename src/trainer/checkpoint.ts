/**
 * Checkpoints: all that a run needs to continue as if it had never stopped. A checkpoint holds what is
 * trained, and a hash over what the run was made from. It is a folder `checkpoints/STEP/` that is
 * filled under another name and renamed, so it is there whole or not at all; its state is sealed and
 * holds the checksum of its tensors, so a damaged one is noticed and an older one used instead.
 */
import { createHash } from 'node:crypto';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { CfsError, defined } from '../errors.js';
import { isSystemError, readError, replaceFolder, writeError } from '../files.js';
import { fileStamp, isSettled } from '../fileStamp.js';
import { mixerCursorSchema } from '../mixer/mixer.js';
import { openSafetensors } from '../model/safetensors.js';
import { writeSafetensors } from '../model/safetensorsWriter.js';
import {
  checkpointState,
  isCheckpointName,
  logEndsSchema,
  type LogEnds,
} from '../protocol/logEnds.js';
import { openFileAsync } from '../reading.js';
import { readSealed, writeSealed } from '../sealed.js';
import type { ParameterStore } from './store.js';
import { checkpointKinds, trainedTensors } from './storePlan.js';

const trainingStateSchema = z.object({
  /** Optimizer steps taken, skipped ones included. */
  step: z.int().nonnegative(),
  /** Updates made: the `t` of AdamW's bias correction. */
  updates: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  /** Steps skipped just before this moment, without one that worked between them. */
  skippedInARow: z.int().nonnegative(),
  best: z.object({ step: z.int(), score: z.number() }).optional(),
  /** The mixer's place in its data; absent before the first step. */
  cursor: mixerCursorSchema.optional(),
});
/** What the loop knows besides tensors. */
export type TrainingState = z.infer<typeof trainingStateSchema>;

const contentSchema = z.object({
  format: z.literal(2),
  /** Of the file with the tensors. */
  sha256: z.string(),
  /** Hash over what the run was made from: data, base model, … */
  inputs: z.string(),
  /** Where the logs of the run ended before; earlier versions did not say it. */
  logs: logEndsSchema.optional(),
  state: trainingStateSchema,
});
type CheckpointContent = z.infer<typeof contentSchema>;

/** What is read of a checkpoint of the first format, which had no seal. */
const firstFormatSchema = z.object({ format: z.literal(1) });

/** Writes `checkpoints/STEP/` and returns its path. Throws `WRITE_FAILED`. */
export async function saveCheckpoint(
  folder: string,
  store: ParameterStore,
  state: TrainingState,
  inputs: string,
  logs?: LogEnds,
): Promise<string> {
  const target = join(folder, String(state.step));
  const temporary = join(folder, `tmp-${state.step}`);
  rmSync(temporary, { recursive: true, force: true });
  try {
    const trained = new Set(trainedTensors(store.plan).map(({ name }) => name));
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const kind of checkpointKinds) {
      for await (const { name, shape, data } of store.read(kind)) {
        if (trained.has(name)) tensors.set(`${kind}.${name}`, { shape, data });
      }
    }
    const specs = [...tensors].map(([name, { shape }]) => ({ name, shape, dtype: 'F32' }));
    const file = join(temporary, tensorFile);
    const hash = createHash('sha256');
    writeSafetensors(
      file,
      specs,
      ({ name }) => defined(tensors.get(name), name).data,
      (bytes) => hash.update(bytes),
    );
    const content: CheckpointContent = {
      format: 2,
      sha256: hash.digest('hex'),
      inputs,
      ...(logs && { logs }),
      state,
    };
    writeSealed(join(temporary, checkpointState), content);
    replaceFolder(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  return target;
}

/** The steps that have a checkpoint in `folder`, newest first. Throws `READ_FAILED`. */
export function listCheckpoints(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter(isCheckpointName)
      .map(Number)
      .sort((a, b) => b - a);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    throw readError(folder, error);
  }
}

/** The step of the newest checkpoint; 0 where there is none. */
export function lastStep(folder: string): number {
  return listCheckpoints(folder)[0] ?? 0;
}

/** A checkpoint that cannot be used. */
export interface DamagedCheckpoint {
  step: number;
  /** `CHECKPOINT_DAMAGED`. */
  problem: CfsError;
}

/**
 * The step of the newest checkpoint that is whole, and the damaged ones after it. Changes nothing.
 * Throws `READ_FAILED` for one that cannot be read, which may be whole, and `CHECKPOINT_OUTDATED`.
 */
export async function findCheckpoint(
  folder: string,
): Promise<{ step?: number; damaged: DamagedCheckpoint[] }> {
  const damaged: DamagedCheckpoint[] = [];
  for (const step of listCheckpoints(folder)) {
    try {
      await readChecked(folder, step);
      return { step, damaged };
    } catch (error) {
      if (!(error instanceof CfsError) || error.code !== 'CHECKPOINT_DAMAGED') throw error;
      damaged.push({ step, problem: error });
    }
  }
  return { damaged };
}

/** Puts damaged checkpoints aside, as `STEP.damaged`. Throws `WRITE_FAILED`. */
export function putAside(folder: string, damaged: readonly DamagedCheckpoint[]): void {
  for (const { step } of damaged) {
    const path = join(folder, String(step));
    const aside = `${path}.damaged`;
    try {
      rmSync(aside, { recursive: true, force: true });
      renameSync(path, aside);
    } catch (error) {
      throw writeError(path, error);
    }
  }
}

/**
 * What `findCheckpoint` finds; damaged ones are put aside and told to `onDamaged`. Throws what both
 * throw.
 */
export async function newestCheckpoint(
  folder: string,
  onDamaged: (warning: CfsError) => void,
): Promise<number | undefined> {
  const { step, damaged } = await findCheckpoint(folder);
  putAside(folder, damaged);
  for (const { problem } of damaged) onDamaged(problem);
  return step;
}

/**
 * Fills the store from `checkpoints/STEP/` and returns the loop's state. `inputs` is the hash over
 * what the run is made from now. Throws `CHECKPOINT_DAMAGED`, `CHECKPOINT_OUTDATED`, `READ_FAILED`
 * and `CHECKPOINT_OTHER_RUN` before anything in the store has changed.
 */
export async function loadCheckpoint(
  folder: string,
  step: number,
  store: ParameterStore,
  inputs: string,
): Promise<TrainingState> {
  const path = join(folder, String(step));
  const content = await readChecked(folder, step);
  if (content.inputs !== inputs) throw otherRun(path);
  const file = openSafetensors(join(path, tensorFile));
  for (const kind of checkpointKinds) {
    for (const { name, types } of trainedTensors(store.plan)) {
      if (types[kind] === undefined) continue;
      await store.fill(kind, name, async (values) => {
        await file.readInto(`${kind}.${name}`, values);
      });
    }
  }
  return content.state;
}

/**
 * Reads and checks a checkpoint without loading it. Throws `CHECKPOINT_DAMAGED`, `READ_FAILED`, and
 * `CHECKPOINT_OUTDATED` for one of an earlier version, which is not damaged and stays where it is.
 */
async function readChecked(folder: string, step: number): Promise<CheckpointContent> {
  const path = join(folder, String(step));
  const [state, tensors] = [join(path, checkpointState), join(path, tensorFile)];
  const content = await checked(state, step, () =>
    readSealed(state, contentSchema, { remedy: damagedRemedy, unsealed: firstFormatSchema }),
  );
  if (content === undefined) throw damaged(state, step, 'it is missing.');
  if (content.format === 1) throw outdated(path);
  if (content.state.step !== step) {
    throw damaged(state, step, `it is the state of step ${content.state.step}.`);
  }
  const found = await checked(tensors, step, () => checksum(tensors));
  if (found !== content.sha256) {
    throw damaged(tensors, step, 'it was truncated, edited or damaged.');
  }
  return content;
}

/** What `read` reads of a file of a checkpoint; what is not a matter of reading it is damage. */
async function checked<T>(file: string, step: number, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const system = error instanceof CfsError ? error.cause : error;
    if (isSystemError(system)) {
      const notFile = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENOTFILE'].includes(system.code ?? '');
      throw notFile ? damaged(file, step, 'it is missing.', error) : readError(file, system);
    }
    if (error instanceof CfsError) throw damaged(file, step, error.message, error);
    throw error;
  }
}

const damagedRemedy =
  'The previous checkpoint is used instead; check the disk if this happens again.';

function damaged(file: string, step: number, why: string, cause?: unknown): CfsError {
  return new CfsError({
    code: 'CHECKPOINT_DAMAGED',
    message: `${basename(file)} of the checkpoint of step ${step} cannot be used: ${why}`,
    remedy: damagedRemedy,
    place: { file },
    cause,
  });
}

function outdated(path: string): CfsError {
  return new CfsError({
    code: 'CHECKPOINT_OUTDATED',
    message:
      'This checkpoint was written by an earlier version of CFS Studio, which recorded its place in the data differently.',
    remedy:
      'Start a new run with the same run.yaml, or resume this one with the version that started it.',
    place: { file: path },
  });
}

function otherRun(path: string): CfsError {
  return new CfsError({
    code: 'CHECKPOINT_OTHER_RUN',
    message: 'This checkpoint was made from other data, samples or weights than this run.',
    remedy: 'Restore the checkpoint from a backup of this run, or start a new run.',
    place: { file: path },
  });
}

/** Deletes all but the newest `keep` checkpoints, sparing `best`. */
export function pruneCheckpoints(folder: string, keep: number, best: number | undefined): void {
  for (const step of listCheckpoints(folder).slice(keep)) {
    if (step !== best) rmSync(join(folder, String(step)), { recursive: true, force: true });
  }
}

const tensorFile = 'tensors.safetensors';

/** The SHA-256 of a file; not read again by this process while nobody has written it. */
async function checksum(file: string): Promise<string> {
  const stamp = fileStamp(file);
  const known = checksums.get(stamp);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  const handle = await openFileAsync(file);
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 22 })) {
    hash.update(chunk as Buffer);
  }
  const found = hash.digest('hex');
  if (isSettled(stamp) && fileStamp(file) === stamp) checksums.set(stamp, found);
  return found;
}

/** By stamp. A resumed run asks for that of its newest checkpoint three times. */
const checksums = new Map<string, string>();
