/**
 * Reverse-mode differentiation over a graph's tape: the gradient of a scalar with respect to any
 * values, emitted as ordinary ONNX nodes into the same graph.
 */
import type { Contribution, Graph, Value } from './graph.js';

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
  parameters: Value[],
  start: Value[] = [],
): Value[] {
  if (loss.shape.length > 0)
    throw new Error(`The loss must be a scalar, not [${loss.shape.join(', ')}]`);
  const depends = new Set<string>(parameters.map((parameter) => parameter.name));
  // The rules emit operations of their own, which must not be walked.
  const operations = [...graph.tape];
  for (const { inputs, outputs } of operations) {
    if (!inputs.some((input) => depends.has(input.name))) continue;
    for (const output of outputs) depends.add(output.name);
  }

  const gradients = new Map<string, Value>([[loss.name, graph.scalar(1, loss)]]);
  parameters.forEach((parameter, i) => {
    const earlier = start[i];
    if (earlier) gradients.set(parameter.name, earlier);
  });
  for (const operation of operations.reverse()) {
    const outputGradients = operation.outputs.map((output) => gradients.get(output.name));
    const wanted = operation.inputs.map((input) => depends.has(input.name));
    if (!outputGradients.some(Boolean) || !wanted.some(Boolean)) continue;
    if (!operation.gradient) {
      throw new Error(`The operator ${operation.operator} has no gradient rule`);
    }
    const contributions = operation.gradient(outputGradients, wanted);
    operation.inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!contribution || !wanted[i]) return;
      gradients.set(input.name, gather(graph, gradients.get(input.name), contribution));
    });
  }

  return parameters.map((parameter) => {
    const gradient = gradients.get(parameter.name);
    if (!gradient || start.includes(gradient))
      throw new Error(`The loss does not depend on ${parameter.name}`);
    return gradient;
  });
}

function gather(graph: Graph, gathered: Value | undefined, contribution: Contribution): Value {
  if (typeof contribution === 'function') return contribution(gathered);
  if (!gathered) return contribution;
  return graph.emit('Add', [gathered, contribution], gathered.shape);
}
