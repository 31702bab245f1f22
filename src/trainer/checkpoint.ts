/**
 * Checkpoints: all that a run needs to continue as if it had never stopped. A checkpoint holds what is
 * trained, and a hash over what the run was made from. It is a folder `checkpoints/STEP/` that is
 * filled under another name and renamed, so it is there whole or not at all; its tensors carry a
 * checksum, so a damaged one is noticed and an older one used instead.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CfsError, defined, messageOf } from '../errors.js';
import { replaceFolder, writeError, writeFileAtomic } from '../files.js';
import { mixerCursorSchema } from '../mixer/mixer.js';
import { openSafetensors, writeSafetensors } from '../model/safetensors.js';
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
  state: trainingStateSchema,
});
type CheckpointContent = z.infer<typeof contentSchema>;

const formatSchema = z.object({ format: z.int() });

/** Writes `checkpoints/STEP/` and returns its path. Throws `WRITE_FAILED`. */
export async function saveCheckpoint(
  folder: string,
  store: ParameterStore,
  state: TrainingState,
  inputs: string,
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
    writeSafetensors(file, specs, ({ name }) => defined(tensors.get(name), name).data);
    const content: CheckpointContent = {
      format: 2,
      sha256: await checksum(file),
      inputs,
      state,
    };
    writeFileAtomic(join(temporary, stateFile), `${JSON.stringify(content, null, 2)}\n`);
    replaceFolder(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  return target;
}

/** The steps that have a checkpoint in `folder`, newest first. */
export function listCheckpoints(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => b - a);
}

/** The step of the newest checkpoint; 0 where there is none. */
export function lastStep(folder: string): number {
  return listCheckpoints(folder)[0] ?? 0;
}

/**
 * The step of the newest checkpoint that is whole. Damaged ones before it are put aside as `STEP.damaged` and told to `onDamaged`.
 */
export async function newestCheckpoint(
  folder: string,
  onDamaged: (warning: CfsError) => void,
): Promise<number | undefined> {
  for (const step of listCheckpoints(folder)) {
    const path = join(folder, String(step));
    try {
      await readChecked(path);
      return step;
    } catch (error) {
      if (!(error instanceof CfsError) || error.code !== 'CHECKPOINT_DAMAGED') throw error;
      putAside(path);
      onDamaged(error);
    }
  }
  return undefined;
}

function putAside(path: string): void {
  const aside = `${path}.damaged`;
  try {
    rmSync(aside, { recursive: true, force: true });
    renameSync(path, aside);
  } catch (error) {
    throw writeError(path, error);
  }
}

/**
 * Fills the store from `checkpoints/STEP/` and returns the loop's state. `inputs` is the hash
 * over what the run is made from now. Throws `CHECKPOINT_DAMAGED`, `CHECKPOINT_OUTDATED` and
 * `CHECKPOINT_OTHER_RUN` before anything in the store has changed.
 */
export async function loadCheckpoint(
  folder: string,
  step: number,
  store: ParameterStore,
  inputs: string,
): Promise<TrainingState> {
  const path = join(folder, String(step));
  const content = await readChecked(path);
  if (content.inputs !== inputs) throw otherRun(path);
  const file = openSafetensors(join(path, tensorFile));
  for (const kind of checkpointKinds) {
    for (const { name, types } of trainedTensors(store.plan)) {
      if (types[kind] === undefined) continue;
      await store.write(kind, name, file.read(`${kind}.${name}`));
    }
  }
  return content.state;
}

/**
 * Reads and checks a checkpoint without loading it. Throws `CHECKPOINT_DAMAGED`, and
 * `CHECKPOINT_OUTDATED` for one of an earlier version, which is not damaged and stays where it is.
 */
async function readChecked(path: string): Promise<CheckpointContent> {
  try {
    const json: unknown = JSON.parse(readFileSync(join(path, stateFile), 'utf8'));
    if (formatSchema.safeParse(json).data?.format === 1) throw outdated(path);
    const content = contentSchema.parse(json);
    const found = await checksum(join(path, tensorFile));
    if (found !== content.sha256) throw new Error('the checksum of its tensors differs');
    return content;
  } catch (error) {
    if (error instanceof CfsError) throw error;
    throw new CfsError({
      code: 'CHECKPOINT_DAMAGED',
      message: `The checkpoint cannot be used: ${messageOf(error)}`,
      remedy: 'The previous checkpoint is used instead; check the disk if this happens again.',
      place: { file: path },
      cause: error,
    });
  }
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
const stateFile = 'state.json';

async function checksum(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 22 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
