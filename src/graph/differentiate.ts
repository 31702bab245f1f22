/**
 * Reverse-mode differentiation over a graph's tape: the gradients of a scalar, or the
 * vector-Jacobian products of any outputs, emitted as ordinary ONNX nodes into the same graph.
 */
import { sameShape } from './dims.js';
import type { Contribution, Graph, Operation, Value } from './graph.js';

/**
 * The gradients of `loss` (shape `[]`) with respect to `parameters`, in their order and shapes,
 * each added to `start` where that is given (gradients of earlier micro-batches).
 *
 * Throws when an operation between a parameter and the loss has no gradient rule, or when a
 * parameter does not reach the loss.
 */
export function differentiate(
  graph: Graph,
  loss: Value,
  parameters: readonly Value[],
  start: readonly Value[] = [],
): Value[] {
  if (loss.shape.length > 0)
    throw new Error(`The loss must be a scalar, not [${loss.shape.join(', ')}]`);
  return vjp(graph, [loss], [graph.scalar(1, loss)], parameters, start);
}

/**
 * The gradients of a loss with respect to `inputs`, in their order and shapes, from `seeds`, its
 * gradients with respect to `outputs`; each added to `start` where that is given.
 *
 * Inputs are independent of each other: nothing before an input is walked, so the outputs and
 * inputs of a part of the graph (a block and its parameters) give the gradients of that part.
 *
 * Throws when a seed does not fit its output, when an operation between an input and the outputs has
 * no gradient rule, or when an input does not reach the outputs.
 */
export function vjp(
  graph: Graph,
  outputs: readonly Value[],
  seeds: readonly Value[],
  inputs: readonly Value[],
  start: readonly Value[] = [],
): Value[] {
  const gradients = backward(graph, [...graph.tape], outputs, seeds, inputs, start);
  return inputs.map((input, i) => {
    const gradient = gradients[i];
    if (!gradient || gradient === start[i])
      throw new Error(`The loss does not depend on ${input.name}`);
    return gradient;
  });
}

/**
 * `vjp` over the given operations instead of the whole tape. An input that does not reach the
 * outputs gets its `start`.
 */
export function backward(
  graph: Graph,
  operations: readonly Operation[],
  outputs: readonly Value[],
  seeds: readonly Value[],
  inputs: readonly Value[],
  start: readonly (Value | undefined)[],
): (Value | undefined)[] {
  const given = new Set(inputs.map(({ name }) => name));
  const depends = new Set(given);
  for (const operation of operations) {
    if (!operation.inputs.some(({ name }) => depends.has(name))) continue;
    for (const { name } of operation.outputs) depends.add(name);
  }

  const gradients = new Map<string, Value>();
  inputs.forEach(({ name }, i) => {
    const earlier = start[i];
    if (earlier) gradients.set(name, earlier);
  });
  outputs.forEach((output, i) => {
    const seed = seedOf(output, seeds[i]);
    gradients.set(output.name, gather(graph, gradients.get(output.name), seed));
  });
  for (const operation of [...operations].reverse()) {
    // What made an input is not part of what is differentiated.
    const outputGradients = operation.outputs.map(({ name }) =>
      given.has(name) ? undefined : gradients.get(name),
    );
    const wanted = operation.inputs.map(({ name }) => depends.has(name));
    if (!outputGradients.some(Boolean) || !wanted.some(Boolean)) continue;
    if (!operation.gradient) {
      throw new Error(`The operator ${operation.operator} has no gradient rule`);
    }
    const gathered = operation.inputs.map(({ name }) => gradients.get(name));
    const contributions = operation.gradient(outputGradients, wanted, gathered);
    operation.inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!contribution || !wanted[i]) return;
      gradients.set(input.name, gather(graph, gradients.get(input.name), contribution));
    });
  }
  return inputs.map(({ name }) => gradients.get(name));
}

function seedOf(output: Value, seed: Value | undefined): Value {
  if (seed && seed.type === output.type && sameShape(seed.shape, output.shape)) return seed;
  const describe = ({ type, shape }: Value): string => `${type} [${shape.join(', ')}]`;
  const found = seed ? describe(seed) : 'nothing';
  throw new Error(`The seed of ${output.name} must be ${describe(output)}, not ${found}`);
}

function gather(graph: Graph, gathered: Value | undefined, contribution: Contribution): Value {
  if (typeof contribution === 'function') return contribution(gathered);
  if (!gathered) return contribution;
  return graph.emit('Add', [gathered, contribution], gathered.shape);
}
