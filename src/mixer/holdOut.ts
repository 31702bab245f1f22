/**
 * Rows kept out of training, so that people without a file of held-out rows still see whether the
 * model learns more than the rows themselves. Which rows they are follows from the seed, so that
 * preview, training and a resumed run agree.
 */
import { CfsError } from '../errors.js';
import { createRandom, permutation } from '../random.js';
import { selectRows, type RowStore } from './rowStore.js';

/** More rows make the score surer, but each evaluation slower. */
const most = 500;
/** Apart from the orders of training, which follow from the same seed. */
const stream = 0x401d;

export interface SplitRows {
  trained: RowStore;
  /** At least one row. */
  heldOut: RowStore;
}

/**
 * Splits off `share` (above 0, below 1) of the rows, at least 1 and at most 500; both parts keep the
 * order of `rows`. Throws `HOLD_OUT_TOO_LARGE` where no row would be left to train on.
 */
export function holdOutRows(rows: RowStore, share: number, seed: number): SplitRows {
  const count = Math.min(most, Math.max(1, Math.round(share * rows.count)));
  if (count >= rows.count) throw nothingLeft(rows.count);
  const order = permutation(rows.count, createRandom(seed, stream));
  return {
    trained: selectRows(rows, order.subarray(count).toSorted()),
    heldOut: selectRows(rows, order.subarray(0, count).toSorted()),
  };
}

function nothingLeft(count: number): CfsError {
  return new CfsError({
    code: 'HOLD_OUT_TOO_LARGE',
    message: `Holding rows out leaves none to train on: the dataset has ${count === 1 ? 'one usable row' : `${count} usable rows`}.`,
    remedy: 'Lower evaluation.holdOut, or add rows.',
    place: { field: 'evaluation.holdOut' },
  });
}
