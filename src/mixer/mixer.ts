/**
 * The order of training: which dataset rows and which context-free samples (CFS) each optimizer step
 * sees. Seeded, different in every epoch, and resumable from a few numbers, because a step is a
 * function of (seed, epoch, index) and nothing else.
 *
 * An epoch uses every dataset row exactly once. How many CFS rows go with them is
 * - `cfsShare / (1 − cfsShare)` per dataset row if a share is given, else every CFS row once;
 * - in `per-batch` mode at least one in every batch, and never so many that a batch is left without
 *   a dataset row. With a small budget the CFS rows are therefore used more than once an epoch.
 *
 * CFS rows are taken from an endless sequence of shuffled passes over all of them, so that an epoch
 * which needs fewer or more than there are still uses all of them equally often.
 *
 * `per-batch`: the two kinds are spread evenly, so each batch of `batchRows` rows holds both in
 * proportion (fractions are carried from batch to batch; the last batch is smaller). An epoch whose
 * last batch would hold CFS rows only ends before it. `shuffled`: the rows of the epoch in one random
 * order, cut into batches; a batch may then hold one kind only.
 *
 * Lambda is not applied here: the trainer weighs the two kinds' mean losses, by `sources`.
 */
import { z } from 'zod';
import { assert, CfsError, defined } from '../errors.js';
import type { TokenRow } from '../model/batch.js';
import { mixModes, type MixMode } from '../protocol/settings.js';
import { createRandom, permutation } from '../random.js';
import type { RowStore } from './rowStore.js';

export type Source = 'dataset' | 'cfs';

export interface MixSettings {
  mode: MixMode;
  /** Rows of both kinds in one optimizer step. */
  batchRows: number;
  /** Share of the rows of an epoch that are CFS, in [0, 1). Default: each CFS row once. */
  cfsShare?: number;
}

export interface MixerOptions extends MixSettings {
  dataset: RowStore;
  cfs: RowStore | undefined;
  seed: number;
  /** Where to go on, from `Mixer.cursor()`. */
  cursor?: MixerCursor;
  /** Ends after so many epochs; endless without it. */
  epochs?: number;
}

export interface MixedStep {
  /** From 0. */
  epoch: number;
  /** From 0 in each epoch. */
  index: number;
  /** Dataset rows first. */
  rows: TokenRow[];
  /** For each row: where it is from, and its index there. */
  sources: Source[];
  rowIndices: number[];
}

/** A mixer's place, for checkpoints; `of` guards against resuming with other data or settings. */
export const mixerCursorSchema = z.strictObject({
  epoch: z.int().min(0),
  index: z.int().min(0),
  of: z.strictObject({
    seed: z.number(),
    mode: z.enum(mixModes),
    batchRows: z.int(),
    cfsShare: z.number().nullable(),
    datasetRows: z.int(),
    datasetTokens: z.int(),
    cfsRows: z.int(),
    cfsTokens: z.int(),
  }),
});

export type MixerCursor = z.infer<typeof mixerCursorSchema>;

export interface Mixer {
  stepsPerEpoch: number;
  /** The next step; undefined once `epochs` are over. */
  next(): MixedStep | undefined;
  /** The place before the next step, as plain JSON. */
  cursor(): MixerCursor;
}

export interface EpochPlan {
  steps: number;
  datasetRows: number;
  cfsRows: number;
}

/** What an epoch consists of. Throws `CFS_SHARE_INVALID` and `BATCH_TOO_SMALL`. */
export function planEpoch(datasetRows: number, cfsRows: number, settings: MixSettings): EpochPlan {
  assert(datasetRows > 0, 'a mix has dataset rows');
  const { mode, batchRows } = settings;
  const wanted = cfsRows === 0 ? 0 : wantedCfsRows(datasetRows, cfsRows, settings.cfsShare);
  if (wanted === 0 || mode === 'shuffled') {
    const steps = Math.ceil((datasetRows + wanted) / batchRows);
    return { steps, datasetRows, cfsRows: wanted };
  }
  if (batchRows < 2) throw batchTooSmall();
  const least = Math.ceil(datasetRows / (batchRows - 1));
  const most = datasetRows * (batchRows - 1);
  const planned = Math.min(Math.max(wanted, least), most);
  const total = datasetRows + planned;
  const steps = Math.ceil(total / batchRows);
  const last = batchRows * (steps - 1);
  const cfsBeforeLast = spread(last, planned, total);
  // All slots of the last batch are CFS exactly when no dataset row is left for it.
  if (last - cfsBeforeLast === datasetRows) {
    return { steps: steps - 1, datasetRows, cfsRows: cfsBeforeLast };
  }
  return { steps, datasetRows, cfsRows: planned };
}

/** The steps of a whole run: so many, or passes over epochs of `stepsPerEpoch` rounded to a step. */
export function stepCount(
  length: { epochs: number } | { steps: number },
  stepsPerEpoch: number,
): number {
  return 'steps' in length ? length.steps : Math.max(1, Math.round(length.epochs * stepsPerEpoch));
}

/** Throws what `planEpoch` throws, and `CURSOR_MISMATCH`. */
export function createMixer(options: MixerOptions): Mixer {
  const { dataset, cfs, mode, batchRows, seed, epochs = Infinity } = options;
  const cfsCount = cfs?.count ?? 0;
  const plan = planEpoch(dataset.count, cfsCount, options);
  const identity = identify(options);
  let { epoch, index } = checkCursor(options.cursor, identity, plan.steps);

  // Orders of one epoch: the dataset's, the CFS passes it touches, and the slots when shuffled.
  const orders = new Map<string, Uint32Array>();
  let ordersOf = -1;
  const order = (stream: Stream, pass: number, count: number): Uint32Array => {
    const key = `${stream}:${pass}`;
    let found = orders.get(key);
    if (found === undefined) {
      found = permutation(count, createRandom(seed, pass, STREAMS[stream]));
      orders.set(key, found);
    }
    return found;
  };

  const datasetRow = (place: number): number =>
    defined(order('dataset', epoch, dataset.count)[place], 'dataset row');
  const cfsRow = (place: number): number => {
    const drawn = epoch * plan.cfsRows + place;
    const pass = Math.floor(drawn / cfsCount);
    return defined(order('cfs', pass, cfsCount)[drawn % cfsCount], 'CFS row');
  };

  /** The rows of a step as places in the epoch's two sequences. */
  const placesOf = (step: number): Record<Source, number[]> => {
    const total = plan.datasetRows + plan.cfsRows;
    const [from, to] = [step * batchRows, Math.min((step + 1) * batchRows, total)];
    if (mode === 'shuffled') {
      const slots = [...order('slots', epoch, total).subarray(from, to)];
      return {
        dataset: slots.filter((slot) => slot < plan.datasetRows),
        cfs: slots.filter((slot) => slot >= plan.datasetRows).map((s) => s - plan.datasetRows),
      };
    }
    const [cfsFrom, cfsTo] = [from, to].map((slot) => spread(slot, plan.cfsRows, total));
    const [first, end] = [defined(cfsFrom, 'start'), defined(cfsTo, 'end')];
    return { dataset: range(from - first, to - end), cfs: range(first, end) };
  };

  const next = (): MixedStep | undefined => {
    if (epoch >= epochs) return undefined;
    if (ordersOf !== epoch) orders.clear();
    ordersOf = epoch;
    const places = placesOf(index);
    const datasetIndices = places.dataset.map(datasetRow);
    const cfsIndices = places.cfs.map(cfsRow);
    const step: MixedStep = {
      epoch,
      index,
      rows: [
        ...datasetIndices.map((row) => dataset.row(row)),
        ...cfsIndices.map((row) => defined(cfs, 'CFS rows').row(row)),
      ],
      sources: [
        ...datasetIndices.map((): Source => 'dataset'),
        ...cfsIndices.map((): Source => 'cfs'),
      ],
      rowIndices: [...datasetIndices, ...cfsIndices],
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
    cursor: () => ({ epoch, index, of: identity }),
  };
}

type Stream = Source | 'slots';
const STREAMS: Record<Stream, number> = { dataset: 1, cfs: 2, slots: 3 };

/** How many of the first `slots` of `total` are CFS when `cfs` of them are spread evenly. */
function spread(slots: number, cfs: number, total: number): number {
  return Math.floor((slots * cfs) / total);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function wantedCfsRows(datasetRows: number, cfsRows: number, share: number | undefined): number {
  if (share === undefined) return cfsRows;
  if (share >= 0 && share < 1) return Math.round((datasetRows * share) / (1 - share));
  throw new CfsError({
    code: 'CFS_SHARE_INVALID',
    message: `The share of context-free samples is ${share}; it must be at least 0 and below 1.`,
    remedy: 'Set it to 0.5, for example, for half of each batch.',
    place: { field: 'cfsShare' },
  });
}

function batchTooSmall(): CfsError {
  return new CfsError({
    code: 'BATCH_TOO_SMALL',
    message: 'A batch of one row cannot hold a dataset row and a context-free sample.',
    remedy: 'Raise the batch size to at least 2 rows, or mix all rows shuffled.',
    place: { field: 'batchRows' },
  });
}

function identify({
  dataset,
  cfs,
  mode,
  batchRows,
  cfsShare,
  seed,
}: MixerOptions): MixerCursor['of'] {
  return {
    seed,
    mode,
    batchRows,
    cfsShare: cfsShare ?? null,
    datasetRows: dataset.count,
    datasetTokens: dataset.tokens,
    cfsRows: cfs?.count ?? 0,
    cfsTokens: cfs?.tokens ?? 0,
  };
}

function checkCursor(
  cursor: MixerCursor | undefined,
  identity: MixerCursor['of'],
  steps: number,
): { epoch: number; index: number } {
  if (cursor === undefined) return { epoch: 0, index: 0 };
  const keys = Object.keys(identity) as (keyof MixerCursor['of'])[];
  const changed = keys.find((key) => cursor.of[key] !== identity[key]);
  if (changed === undefined && cursor.index < steps) return cursor;
  const detail =
    changed === undefined
      ? `step ${cursor.index} of an epoch of ${steps}`
      : `${changed} was ${cursor.of[changed]} and is ${identity[changed]}`;
  throw new CfsError({
    code: 'CURSOR_MISMATCH',
    message: `The checkpoint was made with different data or settings: ${detail}.`,
    remedy: 'Resume with the same dataset, samples and settings, or start a new run.',
    place: { field: changed },
  });
}
