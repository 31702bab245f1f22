/**
 * Recomputation of activations (Chen et al. 2016): a block whose intermediate results are not kept
 * for the backward pass but made a second time there, so that only its inputs stay in memory.
 */
import { backward } from './differentiate.js';
import { isFloat } from './elements.js';
import type { Graph, Operation, Value } from './graph.js';
import { castRaw } from './ops/cast.js';
import { reshapeRaw } from './ops/shape.js';

/**
 * `block(...inputs)`, keeping only `inputs` for the backward pass. The gradients are those of the
 * block itself, bit for bit on the CPU; on a GPU ONNX Runtime may fuse nodes of the first pass whose
 * results the second one needs apart, which rounds otherwise. Blocks may be nested.
 *
 * `inputs` are floats: the activations that the block starts from. It closes over what else it
 * reads (parameters, masks, tables of angles), and these get their gradients too; what depends on
 * them alone is made once and kept.
 *
 * Throws when an input is not a float, or when the block returns what it did not make.
 * Differentiating throws when anything in the block but its result is read outside.
 */
export function recompute(
  g: Graph,
  block: (...inputs: Value[]) => Value,
  inputs: readonly Value[],
): Value {
  const whole = inputs.find(({ type }) => !isFloat(type));
  if (whole) throw new Error(`A block is recomputed from floats; ${whole.name} is ${whole.type}`);
  const { result, operations } = offTape(g, () => block(...inputs));
  const made = new Map(operations.flatMap(({ outputs }) => outputs.map((one) => [one.name, one])));
  if (!made.delete(result.name)) throw new Error(`The block did not make ${result.name}`);
  const read = new Map(inputs.map((input) => [input.name, input]));
  for (const input of operations.flatMap((operation) => operation.inputs)) {
    if (input.name !== result.name && !made.has(input.name)) read.set(input.name, input);
  }
  const sources = [...read.values()];

  return g.record({
    operator: 'Recompute',
    inputs: sources,
    // All that the block made, so that a gradient that comes to it from outside is noticed.
    outputs: [result, ...made.values()],
    gradient: ([dy, ...inside], wanted, gathered) => {
      const leak = [...made.values()].find((_, i) => inside[i]);
      if (leak) throw new Error(`${leak.name} is read outside the block that is recomputed`);
      if (!dy) return [];
      const held = new Map(inputs.map((input) => [input.name, after(g, input, [dy])]));
      const heldOf = (value: Value): Value => held.get(value.name) ?? value;
      const again = offTape(g, () => block(...inputs.map(heldOf)));
      const sought = sources
        .map((value, i) => ({ value, start: gathered[i] }))
        .filter((_, i) => wanted[i]);
      const gradients = backward(
        g,
        again.operations,
        [again.result],
        [dy],
        sought.map(({ value }) => heldOf(value)),
        sought.map(({ start }) => start),
      );
      const reached = new Map(
        sought.flatMap(({ value, start }, i) => {
          const gradient = gradients[i];
          return gradient && gradient !== start ? [[value.name, gradient]] : [];
        }),
      );
      const ofClosed = [...reached].flatMap(([name, gradient]) =>
        held.has(name) ? [] : [gradient],
      );
      return sources.map(({ name }) => {
        const gradient = reached.get(name);
        if (!gradient) return undefined;
        // What came before the block waits until the block's own gradients are there, and with them
        // all that was made a second time is free again.
        const total = held.has(name) ? after(g, gradient, ofClosed) : gradient;
        return () => total;
      });
    },
  });
}

/** What `make` returns, and the operations it recorded, taken off the tape. */
function offTape(g: Graph, make: () => Value): { result: Value; operations: Operation[] } {
  const start = g.tape.length;
  const result = make();
  return { result, operations: g.tape.splice(start) };
}

/**
 * `x`, not to be had before `others` (floats): times a 1 that is made from an element of each. ONNX
 * Runtime orders nodes by what they read alone and merges those that compute the same. The product
 * changes no bit, and writes in place where `x` has no other use.
 */
function after(g: Graph, x: Value, others: readonly Value[]): Value {
  if (others.length === 0) return x;
  const elements = others.map((other) => castRaw(g, firstElement(g, other), x.type));
  const all = g.emit('Concat', elements, [others.length], { attributes: { axis: 0 } });
  // False for every number, infinities and NaN included.
  const never = g.emit('Less', [all, g.scalar(-Infinity, all)], all.shape, { type: 'bool' });
  const zero = g.emit('ReduceMax', [castRaw(g, never, x.type), g.ints([0])], [], {
    attributes: { keepdims: 0 },
  });
  const one = g.emit('Sub', [g.scalar(1, zero), zero], []);
  return g.emit('Mul', [x, one], x.shape);
}

/** `[1]` */
function firstElement(g: Graph, x: Value): Value {
  const starts = g.ints(x.shape.map(() => 0));
  const ends = x.shape.map(() => 1);
  const corner = x.shape.length === 0 ? x : g.emit('Slice', [x, starts, g.ints(ends)], ends);
  return reshapeRaw(g, corner, [1]);
}
