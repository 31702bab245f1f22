/**
 * The ONNX graph builder. A graph is a list of nodes in the order they were emitted and, beside it,
 * a tape of operations: what each one read and wrote and how its gradient is emitted. Operators
 * (`ops/`) put nodes and tape entries in; `differentiate` walks the tape; `encode` writes the file.
 */
import { defined } from '../errors.js';
import { anyShape, type Dim, type Shape } from './dims.js';
import { elementsOf, type TensorData } from './elements.js';
import { attributeTypes, dataTypes, irVersion, Model, opsets } from './onnxSchema.js';
import type { ElementType } from './onnxSchema.js';

/** A tensor in a graph. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
}

export type Attribute = number | string | number[] | { float: number } | { graph: Graph };

/**
 * What an operation adds to the gradient of one input: the gradient itself, or, where the sum can
 * be formed for less than an extra addition, a function from the gradient gathered so far.
 */
export type Contribution = Value | ((gathered: Value | undefined) => Value);

/**
 * Emits the gradients of an operation's inputs from those of its outputs (`undefined`: the output
 * does not reach the loss). `wanted[i]` says whether input i needs one; `gathered[i]` is its gradient
 * so far, for a rule that walks operations of its own.
 */
export type GradientRule = (
  outputGradients: (Value | undefined)[],
  wanted: boolean[],
  gathered: (Value | undefined)[],
) => (Contribution | undefined)[];

export interface Operation {
  operator: string;
  inputs: Value[];
  outputs: Value[];
  /** Without a rule, differentiating through the operation is an error that names it. */
  gradient?: GradientRule;
}

export interface Node {
  opType: string;
  domain: string;
  input: string[];
  output: string[];
  attributes: Record<string, Attribute>;
}

export interface NodeOptions {
  attributes?: Record<string, Attribute>;
  /** Operator domain; '' is ONNX's own. */
  domain?: '' | 'com.microsoft';
}

interface Initializer {
  value: Value;
  data: TensorData;
}

/** Which kernels the provider has. */
export interface Kernels {
  /** `FusedMatMul`: batched products with transposed factors, without a copy. CPU only. */
  fusedMatMul: boolean;
}

export class Graph {
  readonly tape: Operation[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly nodes: Node[] = [];
  /** Every tensor of the graph, by its name. */
  readonly values = new Map<string, Value>();
  private readonly initializers: Initializer[] = [];
  private readonly constants = new Map<string, Value>();
  private counter = 0;

  /** `prefix` goes before every name that is made up here. */
  constructor(
    readonly kernels: Kernels,
    private readonly prefix = '',
  ) {}

  /**
   * A graph for an attribute of a control-flow node. Its nodes may read every value of this graph;
   * `name` keeps the names of the two apart.
   */
  subgraph(name: string): Graph {
    return new Graph(this.kernels, `${this.prefix}${name}_`);
  }

  input(name: string, type: ElementType, shape: Shape): Value {
    const value = this.know({ name, type, shape });
    this.inputs.push(value);
    return value;
  }

  /** Declares `value` as an output called `name`. */
  output(name: string, value: Value): Value {
    const named = this.know({ name, type: value.type, shape: value.shape });
    this.nodes.push({
      opType: 'Identity',
      domain: '',
      input: [value.name],
      output: [name],
      attributes: {},
    });
    this.outputs.push(named);
    return named;
  }

  /** A tensor stored in the graph file. `type` tells the 16-bit float types apart. */
  initializer(name: string, data: TensorData, shape: number[], type = elementType(data)): Value {
    const value = this.know({ name, type, shape });
    this.initializers.push({ value, data });
    return value;
  }

  /** The tensor that `make` returns, stored once however often it is asked for by this `key`. */
  constant(key: string, shape: number[], type: ElementType, make: () => TensorData): Value {
    const known = this.constants.get(key);
    if (known) return known;
    const name = `${this.prefix}const_${this.constants.size}`;
    const value = this.initializer(name, make(), shape, type);
    this.constants.set(key, value);
    return value;
  }

  /** A number of the element type of `like`, the operand that it meets; shape `[]`. */
  scalar(value: number, { type }: Pick<Value, 'type'>): Value {
    return this.constant(`${type} ${value}`, [], type, () => elementsOf([value], type));
  }

  /** A small int64 vector, for shapes, axes and the like; equal ones are shared. */
  ints(values: number[]): Value {
    const key = `int64 [${values.join()}]`;
    return this.constant(key, [values.length], 'int64', () => elementsOf(values, 'int64'));
  }

  /**
   * Emits one ONNX node; `outputs` are the shapes of its results and their element types, which are
   * that of the first input where they are not given.
   */
  node(
    opType: string,
    inputs: (Value | undefined)[],
    outputs: { type?: ElementType; shape: Shape }[],
    options: NodeOptions = {},
  ): Value[] {
    const first = defined(inputs[0], `input of ${opType}`).type;
    if (ofOneType.has(opType)) refuseMixedTypes(opType, inputs);
    const values = outputs.map(({ type = first, shape }) => this.fresh(opType, type, shape));
    this.nodes.push({
      opType,
      domain: options.domain ?? '',
      input: inputs.map((input) => input?.name ?? ''),
      output: values.map((value) => value.name),
      attributes: options.attributes ?? {},
    });
    return values;
  }

  /** `node` for the usual case of one output. */
  emit(
    opType: string,
    inputs: (Value | undefined)[],
    shape: Shape,
    options: NodeOptions & { type?: ElementType } = {},
  ): Value {
    const output = options.type === undefined ? { shape } : { type: options.type, shape };
    const [value] = this.node(opType, inputs, [output], options);
    return value as Value;
  }

  /** Puts an operation on the tape and returns its first output. */
  record(operation: Operation): Value {
    this.tape.push(operation);
    return operation.outputs[0] as Value;
  }

  /**
   * The nodes that the outputs need. The others are left out of the file: ONNX Runtime would run
   * them, and keep for them what they read.
   */
  neededNodes(): Node[] {
    const needed = new Set(this.outputs.map(({ name }) => name));
    const nodes = [...this.nodes].reverse().filter((node) => {
      if (!node.output.some((name) => needed.has(name))) return false;
      for (const name of readBy(node)) needed.add(name);
      return true;
    });
    return nodes.reverse();
  }

  /** The graph as the bytes of an ONNX file. */
  encode(name = 'graph'): Uint8Array {
    const message = Model.create({
      irVersion,
      producerName: 'cfs-studio',
      opsetImport: opsets,
      graph: this.message(name),
    });
    return Model.encode(message).finish();
  }

  /** The graph as an ONNX `GraphProto` message. */
  message(name: string): object {
    return {
      name,
      node: this.neededNodes().map((node) => ({
        ...node,
        name: node.output[0],
        attribute: Object.entries(node.attributes).map(([key, value]) =>
          encodeAttribute(key, value),
        ),
      })),
      initializer: this.initializers.map(({ value, data }) => ({
        name: value.name,
        dataType: dataTypes[value.type],
        dims: value.shape,
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: this.inputs.map(encodeValueInfo),
      output: this.outputs.map(encodeValueInfo),
    };
  }

  private fresh(opType: string, type: ElementType, shape: Shape): Value {
    return this.know({ name: `${this.prefix}${opType}_${this.counter++}`, type, shape });
  }

  private know(value: Value): Value {
    if (this.values.has(value.name)) throw new Error(`Two values are called ${value.name}`);
    this.values.set(value.name, value);
    return value;
  }
}

/** What a node reads, the graphs in its attributes included. */
export function readBy(node: Node): string[] {
  const bodies = Object.values(node.attributes).flatMap((attribute) =>
    typeof attribute === 'object' && 'graph' in attribute ? [attribute.graph] : [],
  );
  const inside = bodies.flatMap((body) => [
    ...body.neededNodes().flatMap(readBy),
    ...body.outputs.map(({ name }) => name),
  ]);
  return [...node.input, ...inside];
}

function elementType(data: TensorData): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  throw new Error('Bits of 16-bit floats need their element type');
}

/** Operators whose inputs all have one element type. ONNX Runtime would refuse others much later. */
const ofOneType = new Set(
  'Add Sub Mul Div Min Max Equal Less LessOrEqual Greater GreaterOrEqual Concat MatMul FusedMatMul Gemm'.split(
    ' ',
  ),
);

function refuseMixedTypes(opType: string, inputs: (Value | undefined)[]): void {
  const described = inputs.flatMap((input) => (input ? [input] : []));
  if (described.every(({ type }) => type === described[0]?.type)) return;
  const operands = described.map(({ type, shape }) => `${type} [${shape.join(', ')}]`);
  throw new Error(`${opType} takes operands of one type, not ${operands.join(' and ')}: cast one`);
}

function encodeValueInfo(value: Value): object {
  const elemType = dataTypes[value.type];
  if (value.shape === anyShape) return { name: value.name, type: { tensorType: { elemType } } };
  const dim = value.shape.map((size: Dim) =>
    typeof size === 'number' ? { dimValue: size } : { dimParam: size },
  );
  return { name: value.name, type: { tensorType: { elemType, shape: { dim } } } };
}

function encodeAttribute(name: string, value: Attribute): object {
  if (typeof value === 'string') {
    return { name, s: new TextEncoder().encode(value), type: attributeTypes.s };
  }
  if (Array.isArray(value)) return { name, ints: value, type: attributeTypes.ints };
  if (typeof value === 'object' && 'graph' in value) {
    return { name, g: value.graph.message(name), type: attributeTypes.g };
  }
  if (typeof value === 'object') return { name, f: value.float, type: attributeTypes.f };
  return { name, i: value, type: attributeTypes.i };
}
