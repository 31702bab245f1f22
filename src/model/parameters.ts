/** The parameters of a family: what it asks its weights for. */
import { Graph, type Lookup, type Value } from '../graph/index.js';
import type { Family } from './architecture.js';
import { createWeights, weightInputs, type Parameter } from './weights.js';

/** Everything that a family asks for, in that order, found by building it once. */
export function traceParameters(family: Family): Parameter[] {
  const found = new Map<string, Parameter>();
  const g = new Graph({ fusedMatMul: false });
  const inputs = weightInputs(g);
  const note = (parameter: Parameter): void => {
    const { name, role } = parameter;
    // A table that is the output layer as well is multiplied by: the dearer role counts.
    if (role === 'head' || !found.has(name)) found.set(name, parameter);
  };
  const w = createWeights(g, {
    ...inputs,
    tensor: (parameter) => {
      note(parameter);
      return inputs.tensor(parameter);
    },
    linear: (graph, x, weight, bias) => {
      note(weight);
      if (bias) note(bias);
      return inputs.linear(graph, x, weight, bias);
    },
  });
  const lookup = (name: string): Lookup => {
    const ids = g.input(name, 'int32', ['tokens']);
    return { ids, unique: ids };
  };
  const attend = (_layer: number, q: Value): Value => q;
  let x = family.embed(g, w, { tokens: lookup('tokens'), positions: () => lookup('positions') });
  for (let layer = 0; layer < family.layers; layer++) x = family.block(g, w, layer, x, attend);
  family.head(g, w, x);
  return [...found.values()];
}

export function elementCount({ shape }: Pick<Parameter, 'shape'>): number {
  return shape.reduce((n, size) => n * size, 1);
}

/** Elements of all parameters together. */
export function parameterCount(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, parameter) => sum + elementCount(parameter), 0);
}
