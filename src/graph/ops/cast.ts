/** Changing the element type of a value. */
import { isFloat } from '../elements.js';
import type { Graph, Value } from '../graph.js';
import { dataTypes, type ElementType } from '../onnxSchema.js';

/** `x` with elements of `type`. Its gradient is cast back; integers and booleans have none. */
export function cast(g: Graph, x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  return g.record({
    operator: 'Cast',
    inputs: [x],
    outputs: [castRaw(g, x, type)],
    gradient:
      isFloat(x.type) && isFloat(type) ? ([dy]) => [dy && castRaw(g, dy, x.type)] : undefined,
  });
}

/** `cast` without a gradient rule, for the rules of other operators. */
export function castRaw(g: Graph, x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  return g.emit('Cast', [x], x.shape, { type, attributes: { to: dataTypes[type] } });
}
