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
 * block itself, bit for bit. Blocks may be nested.
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
      const held = hold(g, inputs, dy);
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
      const totals = new Map(sought.map(({ value }, i) => [value.name, gradients[i]]));
      return sources.map(({ name }, i) => {
        const total = totals.get(name);
        return total && total !== gathered[i] ? () => total : undefined;
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
 * `inputs` by name, each times a 1 that is made from `dy`. ONNX Runtime merges nodes that compute
 * the same, so without it the block's second pass would be its first, kept. The product waits for
 * the incoming gradient, changes no bit, and writes in place where the input has no other use.
 */
function hold(g: Graph, inputs: readonly Value[], dy: Value): Map<string, Value> {
  const corner = dy.shape.map(() => 0);
  const ends = dy.shape.map(() => 1);
  const cut =
    dy.shape.length === 0 ? dy : g.emit('Slice', [dy, g.ints(corner), g.ints(ends)], ends);
  const element = reshapeRaw(g, cut, []);
  // False for every number, infinities and NaN included.
  const never = g.emit('Less', [element, g.scalar(-Infinity, element)], [], { type: 'bool' });
  const oneOf = (x: Value): Value => g.emit('Sub', [g.scalar(1, x), castRaw(g, never, x.type)], []);
  return new Map(inputs.map((x) => [x.name, g.emit('Mul', [x, oneOf(x)], x.shape)]));
}
