/**
 * What an epoch consists of, and which of its rows each batch holds: arithmetic on numbers of rows,
 * the same for any number of sources.
 *
 * An epoch uses every dataset row exactly once. How many rows of another source go with them is
 * - its share of all rows of the epoch if one is given, else each of its rows once;
 * - in `per-batch` mode enough for at least one in every batch, and never so many that a batch is
 *   left without a dataset row. A source with few rows is therefore used more than once an epoch.
 *
 * `per-batch`: the sources are spread evenly, so each batch of `batchRows` rows holds all of them in
 * proportion (fractions are carried from batch to batch; the last batch is smaller). An epoch whose
 * last batch would hold no dataset row ends before it. `shuffled`: the rows of the epoch in one
 * random order, cut into batches; a batch may then lack a source.
 */
import { assert, CfsError, defined } from '../errors.js';
import type { MixMode } from '../protocol/settings.js';

export interface MixSettings {
  mode: MixMode;
  /** Rows of all sources in one optimizer step. */
  batchRows: number;
}

/** A source as far as the plan of an epoch depends on it. */
export interface SourceSize {
  id: string;
  rows: { count: number };
  /** Share of the rows of an epoch, in [0, 1); each row once when left out. */
  share?: number;
}

export interface EpochPlan {
  steps: number;
  /** Rows of each source in an epoch, in the order of the sources; the dataset is the first. */
  rows: number[];
}

/** Throws `SHARE_INVALID` and `BATCH_TOO_SMALL`. */
export function planEpoch(
  sources: readonly SourceSize[],
  { mode, batchRows }: MixSettings,
): EpochPlan {
  const [dataset, ...others] = sources;
  const datasetRows = dataset?.rows.count ?? 0;
  assert(datasetRows > 0, 'a mix has dataset rows');
  const wanted = wantedRows(datasetRows, others);
  const mixedIn = wanted.filter((rows) => rows > 0).length;
  if (mixedIn === 0 || mode === 'shuffled') {
    return {
      steps: Math.ceil((datasetRows + sum(wanted)) / batchRows),
      rows: [datasetRows, ...wanted],
    };
  }
  if (batchRows <= mixedIn) throw batchTooSmall(batchRows, mixedIn);
  const least = Math.ceil((mixedIn * datasetRows) / (batchRows - mixedIn));
  const most = datasetRows * (batchRows - 1);
  const otherRows = Math.min(Math.max(sum(wanted), least), most);
  const { steps, rows } = endWithWholeMix(datasetRows, otherRows, mixedIn, batchRows);
  return { steps, rows: [datasetRows, ...divide(rows, wanted, steps)] };
}

/** The steps of a whole run: so many, or passes over epochs of `stepsPerEpoch` rounded to a step. */
export function stepCount(
  length: { epochs: number } | { steps: number },
  stepsPerEpoch: number,
): number {
  return 'steps' in length ? length.steps : Math.max(1, Math.round(length.epochs * stepsPerEpoch));
}

/**
 * How many rows of each source the first `slots` slots of a per-batch epoch hold; `slots` is a
 * multiple of `batchRows`, or all of them. Every batch has one row of each source that is mixed in
 * at all, and the rest of its rows that are not the dataset's are spread evenly.
 */
export function rowsUpTo(slots: number, { steps, rows }: EpochPlan, batchRows: number): number[] {
  const [datasetRows = 0, ...others] = rows;
  const otherSlots = spread(slots, sum(others), datasetRows + sum(others));
  const batches = Math.ceil(slots / batchRows);
  const mixedIn = others.filter((count) => count > 0).length;
  let left = otherSlots - mixedIn * batches;
  let total = sum(others) - mixedIn * steps;
  const used = others.map((count) => {
    if (count === 0) return 0;
    const extra = spread(left, count - steps, total);
    left -= extra;
    total -= count - steps;
    return batches + extra;
  });
  return [slots - otherSlots, ...used];
}

/** How many of the first `slots` of `total` are a source's when its `rows` are spread evenly. */
function spread(slots: number, rows: number, total: number): number {
  return total === 0 ? 0 : Math.floor((slots * rows) / total);
}

/**
 * The epoch with about `otherRows` rows besides the dataset's whose last batch is a mix too: it ends
 * before a batch without dataset rows, and takes a few more rows where a source would be left out.
 */
function endWithWholeMix(
  datasetRows: number,
  otherRows: number,
  mixedIn: number,
  batchRows: number,
): { steps: number; rows: number } {
  for (let rows = otherRows; ; rows++) {
    const total = datasetRows + rows;
    const steps = Math.ceil(total / batchRows);
    const last = batchRows * (steps - 1);
    const before = spread(last, rows, total);
    if (last - before === datasetRows) return { steps: steps - 1, rows: before };
    // Ends at the latest when the last batch is full.
    if (rows - before >= mixedIn) return { steps, rows };
  }
}

/** Divides `rows` among sources in proportion to what they want, each at least `steps`. */
function divide(rows: number, wanted: readonly number[], steps: number): number[] {
  const mixedIn = wanted.filter((count) => count > 0).length;
  const extras = wanted.map((count) => Math.max(0, count - steps));
  const weights = sum(extras) > 0 ? extras : wanted;
  let left = rows - mixedIn * steps;
  let total = sum(weights);
  return wanted.map((count, i) => {
    if (count === 0) return 0;
    const weight = defined(weights[i], 'weight');
    const extra = total === 0 ? 0 : Math.round((left * weight) / total);
    left -= extra;
    total -= weight;
    return steps + extra;
  });
}

/** Rows of an epoch by count or share, before every batch is seen to. Throws `SHARE_INVALID`. */
function wantedRows(datasetRows: number, others: readonly SourceSize[]): number[] {
  const present = others.filter(({ rows }) => rows.count > 0);
  const shares = sum(present.map(({ share = 0 }) => share));
  const counted = sum(present.map(({ share, rows }) => (share === undefined ? rows.count : 0)));
  for (const { id, share } of present) {
    if (share !== undefined && !(share >= 0 && shares < 1)) throw shareInvalid(id, share);
  }
  return others.map(({ rows, share }) => {
    if (rows.count === 0 || share === undefined) return rows.count;
    return Math.round(((datasetRows + counted) * share) / (1 - shares));
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function shareInvalid(id: string, share: number): CfsError {
  return new CfsError({
    code: 'SHARE_INVALID',
    message: `The share of source ${id} is ${share}; each share must be at least 0, and all together below 1.`,
    remedy: 'Give a share such as 0.5 for half of each batch.',
    place: { field: 'share' },
  });
}

function batchTooSmall(batchRows: number, mixedIn: number): CfsError {
  const batch = batchRows === 1 ? 'one row' : `${batchRows} rows`;
  return new CfsError({
    code: 'BATCH_TOO_SMALL',
    message: `A batch of ${batch} cannot hold a row of each of the ${mixedIn + 1} sources.`,
    remedy: `Raise the batch to at least ${mixedIn + 1} rows, or set mix.mode to shuffled.`,
    place: { field: 'training.batchRows' },
  });
}
