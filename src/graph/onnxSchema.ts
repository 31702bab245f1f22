/**
 * The part of the ONNX file format that we write: message names, field numbers and enumeration
 * values as the ONNX specification (onnx.proto) gives them. Nothing here is generated; a field
 * that we do not write is not listed.
 */
import protobuf from 'protobufjs';

const repeated = { rule: 'repeated' };

const root = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: { id: 1, type: 'int64' },
        producerName: { id: 2, type: 'string' },
        graph: { id: 7, type: 'Graph' },
        opsetImport: { id: 8, type: 'OperatorSet', ...repeated },
      },
    },
    OperatorSet: {
      fields: { domain: { id: 1, type: 'string' }, version: { id: 2, type: 'int64' } },
    },
    Graph: {
      fields: {
        node: { id: 1, type: 'Node', ...repeated },
        name: { id: 2, type: 'string' },
        initializer: { id: 5, type: 'Tensor', ...repeated },
        input: { id: 11, type: 'ValueInfo', ...repeated },
        output: { id: 12, type: 'ValueInfo', ...repeated },
      },
    },
    Node: {
      fields: {
        input: { id: 1, type: 'string', ...repeated },
        output: { id: 2, type: 'string', ...repeated },
        name: { id: 3, type: 'string' },
        opType: { id: 4, type: 'string' },
        attribute: { id: 5, type: 'Attribute', ...repeated },
        domain: { id: 7, type: 'string' },
      },
    },
    Attribute: {
      fields: {
        name: { id: 1, type: 'string' },
        f: { id: 2, type: 'float' },
        i: { id: 3, type: 'int64' },
        s: { id: 4, type: 'bytes' },
        g: { id: 6, type: 'Graph' },
        ints: { id: 8, type: 'int64', rule: 'repeated', options: { packed: false } },
        type: { id: 20, type: 'int32' },
      },
    },
    Tensor: {
      fields: {
        dims: { id: 1, type: 'int64', rule: 'repeated', options: { packed: false } },
        dataType: { id: 2, type: 'int32' },
        name: { id: 8, type: 'string' },
        rawData: { id: 9, type: 'bytes' },
      },
    },
    ValueInfo: { fields: { name: { id: 1, type: 'string' }, type: { id: 2, type: 'Type' } } },
    Type: { fields: { tensorType: { id: 1, type: 'TensorType' } } },
    TensorType: { fields: { elemType: { id: 1, type: 'int32' }, shape: { id: 2, type: 'Dims' } } },
    Dims: { fields: { dim: { id: 1, type: 'Dimension', ...repeated } } },
    Dimension: {
      oneofs: { value: { oneof: ['dimValue', 'dimParam'] } },
      fields: { dimValue: { id: 1, type: 'int64' }, dimParam: { id: 2, type: 'string' } },
    },
  },
});

export const Model = root.lookupType('Model');

/** `TensorProto.DataType` of the element types we use. */
export const dataTypes = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
} as const;
export type ElementType = keyof typeof dataTypes;

/** `AttributeProto.AttributeType` of the attributes we write. */
export const attributeTypes = { f: 1, i: 2, s: 3, g: 5, ints: 7 } as const;

/** Versions that onnxruntime 1.30 implements in full. */
export const irVersion = 10;
export const opsets = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
];
