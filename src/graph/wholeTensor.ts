/** Graphs over one float32 tensor of any shape: how tensors travel to and from a device and are cleared there. */
import { anyShape } from './dims.js';
import { Graph } from './graph.js';
import { castRaw } from './ops/cast.js';

/** An ONNX file with the input `x`, the output `y`, and y = x. */
export function encodeIdentity(): Uint8Array {
  const g = new Graph({ fusedMatMul: false });
  g.output('y', g.input('x', 'float32', anyShape));
  return g.encode('identity');
}

/** An ONNX file with the input `x` and the output `y`, zeros in the shape of x. */
export function encodeZeros(): Uint8Array {
  const g = new Graph({ fusedMatMul: false });
  const x = g.input('x', 'float32', anyShape);
  // Nothing is less than itself, NaN and infinity included, of which 0 · x would make NaN.
  const never = g.emit('Less', [x, x], x.shape, { type: 'bool' });
  g.output('y', castRaw(g, never, 'float32'));
  return g.encode('zeros');
}
