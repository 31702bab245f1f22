/**
 * The weights of a graph are asked for, not looked up. A family says which layer it wants
 * (`w.linear('mlp.up_proj', x, 512)`); what provides it (an input that is trained, a tensor
 * stored in the graph, a cast of a 16-bit one, an adapter beside a frozen one) is the `Backing`'s
 * business. Training, scoring, prefill and decoding graphs all declare their weights here, and the
 * list of parameters is what a family asks for, so that no name stands twice.
 */
import { assert, defined } from '../errors.js';
import {
  embedding,
  layerNorm,
  linear,
  linearOfFewRows,
  rmsNorm,
  type Dim,
  type Graph,
  type Lookup,
  type Value,
} from '../graph/index.js';

/**
 * What a parameter is for. `matrix`: every token is multiplied by it; `lookup`: only rows of it are
 * read; `head`: the output layer, whose rows may be read as well (tied); `vector`: norms and biases.
 */
export type Role = 'matrix' | 'lookup' | 'head' | 'vector';

export interface Parameter {
  /** Its name in a Hugging Face checkpoint. */
  name: string;
  shape: readonly number[];
  role: Role;
}

/** What provides the weights of one graph. */
export interface Backing {
  /** A whole tensor: of a norm, a bias, a table, an output layer. The same value for the same name. */
  tensor: (parameter: Parameter) => Value;
  /** x·Wᵀ (+ b) for `x` `[tokens, in]`, W `[out, in]` and b `[out]`, emitted into `g`. */
  linear: (g: Graph, x: Value, weight: Parameter, bias?: Parameter) => Value;
  /** The graph inputs that training moves, of all that was asked for so far. */
  trainable: () => { name: string; value: Value }[];
}

/** Makes the backing of a graph; the tensors are declared in that graph. */
export type BackingFor = (g: Graph) => Backing;

/** What a family asks for its weights. Names are without `.weight` and `.bias`. */
export interface Weights {
  /** The same for names that begin with `prefix.`. */
  within(prefix: string): Weights;
  /** x·Wᵀ (+ b): `[tokens, in]` → `[tokens, out]`, as `nn.Linear`. */
  linear(name: string, x: Value, out: number, options?: { bias?: boolean }): Value;
  /** `[tokens, n]` → the same. */
  rmsNorm(name: string, x: Value, epsilon: number): Value;
  /** With learned scale and shift; `[tokens, n]` → the same. */
  layerNorm(name: string, x: Value, epsilon: number): Value;
  /** Rows of the table `[rows, width]`: → `[tokens, width]`. */
  lookup(name: string, at: Lookup, rows: number, width: number): Value;
  /** The weight of the output layer, `[vocab, width]`; a table of that name is shared. */
  head(name: string, vocab: number, width: number): Value;
}

/** Weights for nodes in `g`; the backing may stand in a graph around it (a loop's body reads it). */
export function createWeights(g: Graph, backing: Backing, prefix = ''): Weights {
  const full = (name: string): string => prefix + name;
  const vector = (name: string, length: number): Parameter => ({
    name: full(name),
    shape: [length],
    role: 'vector',
  });
  const table = (name: string, rows: number, width: number, role: Role): Parameter => ({
    name: full(`${name}.weight`),
    shape: [rows, width],
    role,
  });
  return {
    within: (inner) => createWeights(g, backing, `${prefix}${inner}.`),
    linear: (name, x, out, { bias = false } = {}) => {
      const weight = table(name, out, widthOf(x), 'matrix');
      return backing.linear(g, x, weight, bias ? vector(`${name}.bias`, out) : undefined);
    },
    rmsNorm: (name, x, epsilon) =>
      rmsNorm(g, x, backing.tensor(vector(`${name}.weight`, widthOf(x))), epsilon),
    layerNorm: (name, x, epsilon) => {
      const scale = backing.tensor(vector(`${name}.weight`, widthOf(x)));
      const shift = backing.tensor(vector(`${name}.bias`, widthOf(x)));
      return layerNorm(g, x, scale, shift, epsilon);
    },
    lookup: (name, at, rows, width) =>
      embedding(g, backing.tensor(table(name, rows, width, 'lookup')), at),
    head: (name, vocab, width) => backing.tensor(table(name, vocab, width, 'head')),
  };
}

/** Float32 inputs of the graph, by their names: what training moves, and what others are fed. */
export const weightInputs: BackingFor = (g) => {
  const values = declareOnce(({ name, shape }) => g.input(name, 'float32', shape));
  return {
    ...plain(values.tensor, linear),
    trainable: () => values.all().map((value) => ({ name: value.name, value })),
  };
};

/** The same for graphs that are run on a few rows and not differentiated. */
export const weightInputsForFewRows: BackingFor = (g) => {
  const inputs = weightInputs(g);
  return { ...inputs, ...plain(inputs.tensor, linearOfFewRows) };
};

/** One value for each name, however often it is asked for. */
export function declareOnce(declare: (parameter: Parameter) => Value): {
  tensor: Backing['tensor'];
  all: () => Value[];
} {
  const values = new Map<string, Value>();
  return {
    tensor: (parameter) => {
      const { name, shape } = parameter;
      const value = values.get(name) ?? declare(parameter);
      values.set(name, value);
      assert(
        value.shape.join() === shape.join(),
        `${name} is [${value.shape.join(', ')}] here and [${shape.join(', ')}] there`,
      );
      return value;
    },
    all: () => [...values.values()],
  };
}

function plain(
  tensor: Backing['tensor'],
  product: typeof linear,
): Pick<Backing, 'tensor' | 'linear'> {
  return {
    tensor,
    linear: (g, x, weight, bias) => product(g, x, tensor(weight), bias && tensor(bias)),
  };
}

function widthOf(x: Value): number {
  const width: Dim = defined(x.shape.at(-1), 'last axis');
  assert(typeof width === 'number', `the width of ${x.name} is not fixed`);
  return width;
}
