/**
 * Sizes of tensor axes. Only the number of lines in a batch and the number of targets are unknown
 * until a graph runs; everything else is a number, so graphs never need shape arithmetic at run time
 * (which GPU providers would hand back to the CPU).
 */

/** A size: a number, or `k*name` for k times a size that is known only when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** The shape of a graph input, and of what is computed from it, that may have any rank. */
export const anyShape: Shape = Object.freeze<Dim[]>([]);

/** `dim * factor`. */
export function times(dim: Dim, factor: number): Dim {
  if (typeof dim === 'number') return dim * factor;
  const [count, name] = parse(dim);
  return symbol(count * factor, name);
}

/** The product of all sizes; at most one of them may be symbolic. */
export function product(shape: Shape): Dim {
  const symbols = shape.filter((dim) => typeof dim === 'string');
  if (symbols.length > 1) throw new Error(`Cannot multiply the sizes [${shape.join(', ')}]`);
  const factor = shape.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
  return symbols[0] === undefined ? factor : times(symbols[0], factor);
}

/** The size as a number; an error when it is symbolic. */
export function numeric(dim: Dim | undefined): number {
  if (typeof dim !== 'number') throw new Error(`Expected a fixed size, got ${String(dim)}`);
  return dim;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy broadcasting of two shapes. */
export function broadcast(a: Shape, b: Shape): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new Error(`Shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
  });
}

/** The constant to give to ONNX `Reshape`: −1 for the one symbolic size. */
export function reshapeTarget(shape: Shape): number[] {
  product(shape);
  return shape.map((dim) => (typeof dim === 'number' ? dim : -1));
}

function parse(dim: string): [number, string] {
  const star = dim.indexOf('*');
  return star < 0 ? [1, dim] : [Number(dim.slice(0, star)), dim.slice(star + 1)];
}

function symbol(count: number, name: string): string {
  return count === 1 ? name : `${count}*${name}`;
}
