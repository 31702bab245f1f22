/**
 * The order of training: which rows of which sources each optimizer step sees. Seeded, different in
 * every epoch, and resumable from a few numbers, because a step is a function of (seed, epoch, index)
 * and nothing else. What an epoch consists of is said in `epoch.ts`.
 *
 * The rows of a source are taken from an endless sequence of shuffled passes over all of them, so
 * that epochs which need fewer or more than there are still use all of them equally often. For the
 * dataset a pass is an epoch.
 *
 * Nothing is weighted here: how much the rows of a source count is up to the method.
 */
import { z } from 'zod';
import { CfsError, defined } from '../errors.js';
import { mixModes } from '../protocol/settings.js';
import { sourceRole } from '../protocol/sourceRoles.js';
import { createRandom, permutation } from '../random.js';
import { planEpoch, rowsUpTo, type MixSettings } from './epoch.js';
import type { RowStore } from './rowStore.js';
import type { MixedStep } from './step.js';

/** Rows of one kind; see `protocol/sourceRoles.ts` for the kinds. */
export interface Source {
  /** Its name in events, checkpoints and errors. */
  id: string;
  role: string;
  rows: RowStore;
  /** Share of the rows of an epoch, in [0, 1); each row once when left out. */
  share?: number;
}

/** A source of a role, which it takes its id from. */
export function sourceOf<Rows>(role: string, rows: Rows, share?: number) {
  return { id: sourceRole(role).id, role, rows, share };
}

export interface MixerOptions extends MixSettings {
  /** The downstream dataset first, then what is mixed in. */
  sources: readonly Source[];
  seed: number;
  /** Where to continue, from `Mixer.cursor()`. */
  cursor?: MixerCursor;
  /** Ends after so many epochs; endless without it. */
  epochs?: number;
}

/** What the steps depend on; guards against resuming with other data or settings. */
const identitySchema = z.strictObject({
  seed: z.number(),
  mode: z.enum(mixModes),
  batchRows: z.int(),
  sources: z.array(
    z.strictObject({
      id: z.string(),
      share: z.number().nullable(),
      rows: z.int(),
      /** `RowStore.hash` */
      hash: z.string(),
    }),
  ),
});
type Identity = z.infer<typeof identitySchema>;

/** A mixer's place, for checkpoints. */
export const mixerCursorSchema = z.strictObject({
  epoch: z.int().min(0),
  index: z.int().min(0),
  of: identitySchema,
});
export type MixerCursor = z.infer<typeof mixerCursorSchema>;

export interface Mixer {
  stepsPerEpoch: number;
  /** The next step; undefined once `epochs` are over. */
  next(): MixedStep | undefined;
  /** The place before the next step, as plain JSON. */
  cursor(): MixerCursor;
}

/** Throws what `planEpoch` throws, `CURSOR_OUTDATED` and `CURSOR_MISMATCH`. */
export function createMixer(options: MixerOptions): Mixer {
  const { sources, mode, batchRows, seed, epochs = Infinity } = options;
  const plan = planEpoch(sources, options);
  const total = plan.rows.reduce((sum, rows) => sum + rows, 0);
  let { epoch, index } = placeOf(options, plan.steps);

  // Orders of one epoch: the passes it touches, and the slots when shuffled.
  const orders = new Map<string, Uint32Array>();
  let ordersOf = -1;
  const order = (stream: number, pass: number, count: number): Uint32Array => {
    const key = `${stream}:${pass}`;
    let found = orders.get(key);
    if (found === undefined) {
      found = permutation(count, createRandom(seed, pass, stream));
      orders.set(key, found);
    }
    return found;
  };

  /** The row of a source at a place of its sequence in this epoch. */
  const rowAt = (source: number, place: number): number => {
    const { count } = sourceAt(sources, source).rows;
    const drawn = epoch * (plan.rows[source] ?? 0) + place;
    const pass = Math.floor(drawn / count);
    return defined(order(streamOf(source), pass, count)[drawn % count], 'row');
  };

  /** The rows of a step as places in the epoch's sequences, for each source. */
  const placesOf = (step: number): number[][] => {
    const [from, to] = [step * batchRows, Math.min((step + 1) * batchRows, total)];
    if (mode === 'shuffled') {
      const slots = [...order(slotStream, epoch, total).subarray(from, to)];
      let start = 0;
      return plan.rows.map((rows) => {
        const first = start;
        start += rows;
        return slots
          .filter((slot) => slot >= first && slot < first + rows)
          .map((slot) => slot - first);
      });
    }
    const [starts, ends] = [from, to].map((slots) => rowsUpTo(slots, plan, batchRows));
    return plan.rows.map((_, i) => range(starts?.[i] ?? 0, ends?.[i] ?? 0));
  };

  const next = (): MixedStep | undefined => {
    if (epoch >= epochs) return undefined;
    if (ordersOf !== epoch) orders.clear();
    ordersOf = epoch;
    const drawn = placesOf(index).flatMap((places, source) => {
      const { id, rows } = sourceAt(sources, source);
      return places.map((place) => ({ id, rows, row: rowAt(source, place) }));
    });
    const step: MixedStep = {
      epoch,
      index,
      rows: drawn.map(({ rows, row }) => rows.row(row)),
      sources: drawn.map(({ id }) => id),
      rowIndices: drawn.map(({ row }) => row),
    };
    index++;
    if (index === plan.steps) {
      index = 0;
      epoch++;
    }
    return step;
  };
  return {
    stepsPerEpoch: plan.steps,
    next,
    cursor: () => ({ epoch, index, of: identify(options) }),
  };
}

/** Streams of random numbers: the slots' is between those of the second and the third source. */
const slotStream = 3;

function streamOf(source: number): number {
  return source < 2 ? source + 1 : source + 2;
}

function sourceAt(sources: readonly Source[], index: number): Source {
  return defined(sources[index], `source ${index}`);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function identify({ sources, seed, mode, batchRows }: MixerOptions): Identity {
  return {
    seed,
    mode,
    batchRows,
    sources: sources.map(({ id, share = null, rows }) => ({
      id,
      share,
      rows: rows.count,
      hash: rows.hash(),
    })),
  };
}

/** Where to begin: at the cursor, if it is of these sources and settings. */
function placeOf(options: MixerOptions, steps: number): { epoch: number; index: number } {
  const { cursor } = options;
  if (cursor === undefined) return { epoch: 0, index: 0 };
  const change = findChange(cursor.of, identify(options));
  if (change !== undefined) throw mismatch(change.text, change.field);
  if (cursor.index >= steps) throw mismatch(`step ${cursor.index} of an epoch of ${steps}`);
  return cursor;
}

/** The first thing that differs, in words. */
function findChange(was: Identity, is: Identity): { field: string; text: string } | undefined {
  for (const field of ['seed', 'mode', 'batchRows'] as const) {
    if (was[field] !== is[field])
      return { field, text: `${field} was ${was[field]} and is ${is[field]}` };
  }
  const ids = (identity: Identity): string => identity.sources.map(({ id }) => id).join(', ');
  if (ids(was) !== ids(is)) {
    return { field: 'sources', text: `the sources were ${ids(was)} and are ${ids(is)}` };
  }
  for (const [i, before] of was.sources.entries()) {
    const { id } = before;
    const now = defined(is.sources[i], `source ${id}`);
    if (before.share !== now.share) {
      const [from, to] = [before, now].map(({ share }) => share ?? 'not set');
      return { field: id, text: `the share of source ${id} was ${from} and is ${to}` };
    }
    if (before.rows !== now.rows) {
      return { field: id, text: `source ${id} had ${before.rows} rows and has ${now.rows}` };
    }
    if (before.hash !== now.hash) {
      return { field: id, text: `the rows of source ${id} are not the same as before` };
    }
  }
  return undefined;
}

function mismatch(detail: string, field?: string): CfsError {
  return new CfsError({
    code: 'CURSOR_MISMATCH',
    message: `The checkpoint was made with different data or settings: ${detail}.`,
    remedy: 'Resume with the same dataset, samples and settings, or start a new run.',
    place: { field },
  });
}
