/** A graph that passes a float32 tensor of any shape through: how tensors travel to and from a device. */
import { anyShape } from './dims.js';
import { Graph } from './graph.js';

/** An ONNX file with the input `x`, the output `y`, and y = x. */
export function encodeIdentity(): Uint8Array {
  const g = new Graph({ fusedMatMul: false });
  g.output('y', g.input('x', 'float32', anyShape));
  return g.encode('identity');
}
