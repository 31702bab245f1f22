/**
 * Checkpoints: all that a run needs to go on as if it had never stopped. A checkpoint is a folder
 * `checkpoints/STEP/` that is filled under another name and renamed, so it is there whole or not at
 * all; its tensors carry a checksum, so a damaged one is noticed and an older one used instead.
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
import { assert, CfsError, defined, messageOf } from '../errors.js';
import { replaceFolder, writeError, writeFileAtomic } from '../files.js';
import { mixerCursorSchema, type MixerCursor } from '../mixer/mixer.js';
import { openSafetensors, writeSafetensors } from '../model/safetensors.js';
import type { Kind, ParameterStore } from './parameterStore.js';

/** What the loop knows besides tensors. */
export interface TrainingState {
  /** Optimizer steps taken, skipped ones included. */
  step: number;
  /** Updates made: the `t` of AdamW's bias correction. */
  updates: number;
  skipped: number;
  /** Steps skipped just before this moment, without one that worked between them. */
  skippedInARow: number;
  best?: { step: number; score: number };
  /** The mixer's place in its data; absent before the first step. */
  cursor?: MixerCursor;
}

const stateSchema = z.object({
  format: z.literal(1),
  sha256: z.string(),
  state: z.object({
    step: z.int().nonnegative(),
    updates: z.int().nonnegative(),
    skipped: z.int().nonnegative(),
    skippedInARow: z.int().nonnegative(),
    best: z.object({ step: z.int(), score: z.number() }).optional(),
    cursor: mixerCursorSchema.optional(),
  }),
});

/** What is stored; gradients are not: they are made anew by the next step. */
const stored = ['weight', 'firstMoment', 'secondMoment'] as const satisfies Kind[];

/** Writes `checkpoints/STEP/` and returns its path. Throws `WRITE_FAILED`. */
export async function saveCheckpoint(
  folder: string,
  store: ParameterStore,
  state: TrainingState,
): Promise<string> {
  const target = join(folder, String(state.step));
  const temporary = join(folder, `tmp-${state.step}`);
  rmSync(temporary, { recursive: true, force: true });
  try {
    const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
    for (const kind of stored) {
      for await (const { name, shape, data } of store.read(kind)) {
        tensors.set(`${kind}.${name}`, { shape, data });
      }
    }
    const specs = [...tensors].map(([name, { shape }]) => ({ name, shape, dtype: 'F32' }));
    const file = join(temporary, tensorFile);
    writeSafetensors(file, specs, ({ name }) => defined(tensors.get(name), name).data);
    const content = { format: 1, sha256: await checksum(file), state };
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

/**
 * The step of the newest checkpoint that is whole. Damaged ones before it are put aside as
 * `STEP.damaged` and told to `onDamaged`.
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
 * Fills the store from `checkpoints/STEP/` and returns the loop's state. Throws
 * `CHECKPOINT_DAMAGED` before anything in the store has changed.
 */
export async function loadCheckpoint(
  folder: string,
  step: number,
  store: ParameterStore,
): Promise<TrainingState> {
  const path = join(folder, String(step));
  const content = await readChecked(path);
  const file = openSafetensors(join(path, tensorFile));
  for (const kind of stored) {
    for (const { name } of store.parameters) {
      await store.write(kind, name, file.read(`${kind}.${name}`));
    }
  }
  return content;
}

/** Reads and checks a checkpoint without loading it. Throws `CHECKPOINT_DAMAGED`. */
async function readChecked(path: string): Promise<TrainingState> {
  try {
    const text = readFileSync(join(path, stateFile), 'utf8');
    const { sha256, state } = stateSchema.parse(JSON.parse(text));
    const found = await checksum(join(path, tensorFile));
    assert(found === sha256, 'the checksum of its tensors differs');
    return state;
  } catch (error) {
    throw new CfsError({
      code: 'CHECKPOINT_DAMAGED',
      message: `The checkpoint cannot be used: ${messageOf(error)}`,
      remedy: 'The checkpoint before it is used; check the disk if this happens again.',
      place: { file: path },
      cause: error,
    });
  }
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
