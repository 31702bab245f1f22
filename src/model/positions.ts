/** Positions as a lookup, for families that learn an embedding of each. */
import { cast, type Graph, type Lookup, type Value } from '../graph/index.js';

/** Rows of a table of positions for `positions` (int64 `[tokens]`), all below `length`. */
export function positionLookup(g: Graph, positions: Value, length: number): Lookup {
  const unique = g.constant(`positions ${length}`, [length], 'int32', () =>
    Int32Array.from({ length }, (_, position) => position),
  );
  return { ids: cast(g, positions, 'int32'), unique };
}
