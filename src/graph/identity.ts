/** A graph that passes a float32 tensor of any shape through: how tensors travel to and from a device. */
import { dataTypes, irVersion, Model, opsets } from './onnxSchema.js';

/** An ONNX file with the input `x`, the output `y`, and y = x. */
export function encodeIdentity(): Uint8Array {
  const type = { tensorType: { elemType: dataTypes.float32 } };
  const message = Model.create({
    irVersion,
    producerName: 'cfs-studio',
    opsetImport: opsets,
    graph: {
      name: 'identity',
      node: [{ opType: 'Identity', input: ['x'], output: ['y'] }],
      input: [{ name: 'x', type }],
      output: [{ name: 'y', type }],
    },
  });
  return Model.encode(message).finish();
}
