/** Where tokens stand in their rows, in the two forms that models want: rotary tables and lookups. */
import {
  rotaryTables,
  type Graph,
  type Lookup,
  type RotaryTables,
  type Value,
} from '../graph/index.js';
import type { Rope } from './architecture.js';

/** The rotary tables of positions 0 … `length` − 1, stored in `g` once for each kind of rope. */
export function ropeTables(g: Graph, length: number): (rope: Rope) => RotaryTables {
  const known = new Map<Rope, RotaryTables>();
  return (rope) => {
    const tables = known.get(rope) ?? rotaryTables(g, rope.inverseFrequencies, length);
    known.set(rope, tables);
    return tables;
  };
}

/** Rows of a table of positions for `positions` (int64 `[tokens]`), all below `length`. */
export function positionLookup(g: Graph, positions: Value, length: number): Lookup {
  const all = Int32Array.from({ length }, (_, position) => position);
  const ids = g.emit('Cast', [positions], positions.shape, {
    type: 'int32',
    attributes: { to: 6 },
  });
  return { ids, unique: g.initializer('all_positions', all, [length]) };
}
