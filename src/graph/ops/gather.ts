/** Lookups of rows: token embeddings, and the positions whose logits are wanted. */
import type { Dim } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { castRaw } from './cast.js';
import { gemm } from './matmul.js';
import { reshapeRaw, zerosLike } from './shape.js';

/** The rows that a lookup reads, in the forms its two passes need. */
export interface Lookup {
  /** Row of the table for each token. int32 `[tokens]` */
  ids: Value;
  /** Every row that occurs in `ids`, once. int32 `[unique]` */
  unique: Value;
}

/**
 * Rows of `table` `[rows, n]` → `[tokens, n]`. The gradient first adds up the tokens that share a
 * row, as a product with a 0/1 matrix `[unique, tokens]`, and then adds each sum to its row: no two
 * additions meet, so the result is the same on every run and every provider.
 */
export function embedding(g: Graph, table: Value, { ids, unique }: Lookup): Value {
  const tokens = ids.shape[0] as Dim;
  const count = unique.shape[0] as Dim;
  const width = table.shape[1] as Dim;
  return g.record({
    operator: 'Embedding',
    inputs: [table],
    outputs: [g.emit('Gather', [table, ids], [tokens, width])],
    gradient: ([dy]) => {
      if (!dy) return [];
      const same = g.emit(
        'Equal',
        [reshapeRaw(g, unique, [count, 1]), reshapeRaw(g, ids, [1, tokens])],
        [count, tokens],
        { type: 'bool' },
      );
      const members = castRaw(g, same, table.type);
      const sums = gemm(g, members, dy, [count, width], {});
      return [(gathered) => addRows(g, gathered ?? zerosLike(g, table), unique, sums)];
    },
  });
}

/** Rows of `x` `[rows, n]` at `positions` (int32 `[count]`, no position twice) → `[count, n]`. */
export function gatherRows(g: Graph, x: Value, positions: Value): Value {
  const shape = [positions.shape[0] as Dim, x.shape[1] as Dim];
  return g.record({
    operator: 'GatherRows',
    inputs: [x],
    outputs: [g.emit('Gather', [x, positions], shape)],
    gradient: ([dy]) => [
      dy && ((gathered) => addRows(g, gathered ?? zerosLike(g, x), positions, dy)),
    ],
  });
}

/** `base` with `rows` `[count, n]` added at `positions` (int32 `[count]`, all different). */
function addRows(g: Graph, base: Value, positions: Value, rows: Value): Value {
  const count = positions.shape[0] as Dim;
  // In this order: Reshape of int64 has no WebGPU kernel.
  const column = reshapeRaw(g, positions, [count, 1]);
  const indices = castRaw(g, column, 'int64');
  return g.emit('ScatterND', [base, indices, rows], base.shape, {
    attributes: { reduction: 'add' },
  });
}
