/**
 * The shape in which tokens reach a model: rows of tokens packed side by side into lines of equal
 * length. Rows that share a line never attend to each other (their `segments` differ), and every
 * row starts at position 0, so packing changes speed and nothing else.
 */

/** One row: its tokens and which of them carry loss. `supervised[0]` is always 0. */
export interface TokenRow {
  /** Token ids, `[length]`. */
  ids: Int32Array;
  /** `supervised[i] = 1` where token i is a target (scored from the logits at i − 1), `[length]`. */
  supervised: Uint8Array;
}

/** The supervised tokens of a row. */
export function countSupervised({ supervised }: Pick<TokenRow, 'supervised'>): number {
  return supervised.reduce((sum, flag) => sum + flag, 0);
}

/** What a forward pass is fed. Flat arrays are row-major `[batch, time]`. */
export interface Batch {
  batch: number;
  time: number;
  /** Token ids, 0 in padding. `[batch, time]` */
  ids: Int32Array;
  /** Position of each token in its row, from 0. `[batch, time]` */
  positions: Int32Array;
  /** 0 in padding, else 1, 2, … for the rows of a line. `[batch, time]` */
  segments: Int32Array;
  /** For each target: flat index `b * time + t` of the position whose logits predict it. `[targets]` */
  targetPositions: Int32Array;
  /** For each target: the token to predict. `[targets]` */
  targetIds: Int32Array;
  /** For each target: which row of the caller's list it belongs to. `[targets]` */
  targetRows: Int32Array;
}
