/**
 * The weights seam: what a family asks for, and that other things than trained inputs may stand
 * behind it. The doubles here are the shape of what is to come: 16-bit weights, frozen ones, an
 * adapter beside a frozen matrix.
 */
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { add, cast, Graph, linear, scale, type Value } from '../../../src/graph/index.js';
import type { Batch } from '../../../src/model/batch.js';
import { encodeFloats } from '../../../src/model/dtype.js';
import { splitIntoBatches } from '../../../src/model/packing.js';
import { gradientName, trainFeeds, trainGraph } from '../../../src/model/trainGraph.js';
import {
  createWeights,
  declareOnce,
  weightInputs,
  type BackingFor,
  type Parameter,
} from '../../../src/model/weights.js';
import { createRandom } from '../../../src/random.js';
import { float32, floats, kernelsOf, openDevice, type Feeds } from '../../../src/runtime/index.js';
import { configArchitecture } from '../../support/configArchitecture.js';
import { randomRows, tinyArchitecture } from '../../support/tinyTraining.js';

const kernels = kernelsOf('cpu');
const architecture = configArchitecture(tinyArchitecture);
const random = createRandom(3);
const values = new Map(
  architecture.parameters.map((parameter) => [parameter.name, draw(parameter)]),
);
const read = (name: string): Float32Array => defined(values.get(name), name);
const [batch] = splitIntoBatches(randomRows(6, 5), { maxTime: 32, multiple: 32, maxTokens: 512 });

function draw({ shape, role }: Parameter): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: size }, () =>
    role === 'vector' ? 1 + 0.1 * random.normal() : 0.2 * random.normal(),
  );
}

/** Tensors stored in the graph's file, which never change. */
const stored: BackingFor = (g) => {
  const { tensor } = declareOnce(({ name, shape }) => g.initializer(name, read(name), [...shape]));
  return {
    tensor,
    linear: (graph, x, weight, bias) => linear(graph, x, tensor(weight), bias && tensor(bias)),
    trainable: () => [],
  };
};

interface Step {
  loss: number;
  gradients: Map<string, Float32Array>;
}

/** One forward and backward pass with this backing; `extra` feeds inputs that are not parameters. */
async function step(backing: BackingFor, extra: Feeds = {}): Promise<Step> {
  const device = await openDevice({ name: 'cpu', threads: 1 });
  const g = trainGraph(architecture, { kernels, time: 32, chunks: 1, accumulate: false, backing });
  const targets = defined(batch, 'batch') satisfies Batch;
  const weights = new Float32Array(targets.targetIds.length).fill(1 / targets.targetIds.length);
  const fed = new Set(g.inputs.map(({ name }) => name));
  const parameters: Feeds = {};
  for (const { name, shape } of architecture.parameters) {
    if (fed.has(name)) parameters[name] = float32(read(name), shape);
  }
  const session = await device.session(g.encode());
  const outputs = await session.run({
    ...parameters,
    ...trainFeeds(targets, weights, 1),
    ...extra,
  });
  await session.release();
  const nll = floats(outputs.nll0);
  const gradients = g.outputs
    .filter(({ name }) => name.startsWith(gradientName('')))
    .map(({ name }): [string, Float32Array] => [
      name.slice(gradientName('').length),
      floats(outputs[name]),
    ]);
  return {
    loss: nll.reduce((sum, value) => sum + value, 0) / nll.length,
    gradients: new Map(gradients),
  };
}

describe('what a family asks for', () => {
  it('is listed once, in the order of the blocks, with its role', () => {
    const roles = architecture.parameters.map(({ name, role }) => [name, role]);
    expect(roles.slice(0, 4)).toEqual([
      ['model.embed_tokens.weight', 'lookup'],
      ['model.layers.0.input_layernorm.weight', 'vector'],
      ['model.layers.0.self_attn.q_proj.weight', 'matrix'],
      ['model.layers.0.self_attn.k_proj.weight', 'matrix'],
    ]);
    expect(roles.slice(-2)).toEqual([
      ['model.norm.weight', 'vector'],
      ['lm_head.weight', 'head'],
    ]);
    expect(new Set(roles.map(([name]) => name)).size).toBe(roles.length);
  });

  it('lists a tied table once, as the output layer, and biases behind their matrices', () => {
    const tied = configArchitecture({
      ...tinyArchitecture,
      tie_word_embeddings: true,
      attention_bias: true,
    });
    expect(tied.parameters[0]).toMatchObject({ name: 'model.embed_tokens.weight', role: 'head' });
    expect(tied.parameters.some(({ name }) => name === 'lm_head.weight')).toBe(false);
    expect(tied.aliases).toEqual({ 'lm_head.weight': 'model.embed_tokens.weight' });
    expect(tied.parameters.slice(2, 4)).toEqual([
      { name: 'model.layers.0.self_attn.q_proj.weight', shape: [24, 24], role: 'matrix' },
      { name: 'model.layers.0.self_attn.q_proj.bias', shape: [24], role: 'vector' },
    ]);
  });

  it('may not be asked for twice in different shapes', () => {
    const g = new Graph(kernels);
    const w = createWeights(g, weightInputs(g));
    const x = g.input('x', 'float32', ['tokens', 8]);
    w.linear('up', x, 16);
    expect(() => w.linear('up', x, 12)).toThrow(/up.weight is \[16, 8\] here and \[12, 8\] there/);
  });
});

describe('what may stand behind the weights', () => {
  it('is tensors stored in the graph, which get no gradient', async () => {
    const trained = await step(weightInputs);
    const split: BackingFor = (g) => {
      const [frozen, moved] = [stored(g), weightInputs(g)];
      const isFrozen = ({ name }: Parameter): boolean => name.includes('layers.0');
      return {
        tensor: (parameter) => (isFrozen(parameter) ? frozen : moved).tensor(parameter),
        linear: (graph, x, weight, bias) =>
          (isFrozen(weight) ? frozen : moved).linear(graph, x, weight, bias),
        trainable: () => [...frozen.trainable(), ...moved.trainable()],
      };
    };
    const partly = await step(split);
    expect(partly.loss).toBeCloseTo(trained.loss, 6);
    expect([...partly.gradients.keys()]).toEqual(
      [...trained.gradients.keys()].filter((name) => !name.includes('layers.0')),
    );
    for (const [name, gradient] of partly.gradients) {
      const expected = defined(trained.gradients.get(name), name);
      gradient.forEach((value, i) => expect(value).toBeCloseTo(defined(expected[i], name), 5));
    }
  });

  it('is a cast of 16-bit weights', async () => {
    const half: BackingFor = (g) => {
      const { tensor } = declareOnce(({ name, shape }) => {
        const bits = new Uint16Array(encodeFloats(read(name), 'F16').buffer);
        return cast(g, g.initializer(name, bits, [...shape], 'float16'), 'float32');
      });
      return {
        tensor,
        linear: (graph, x, weight, bias) => linear(graph, x, tensor(weight), bias && tensor(bias)),
        trainable: () => {
          // Something has to be trained: the norm at the end, beside the frozen rest.
          const value = tensor({ name: 'model.norm.weight', shape: [24], role: 'vector' });
          return [{ name: 'model.norm.weight', value }];
        },
      };
    };
    const [trained, rounded] = [await step(weightInputs), await step(half)];
    expect(rounded.loss).not.toBe(trained.loss);
    expect(Math.abs(rounded.loss - trained.loss)).toBeLessThan(2e-3);
    expect([...rounded.gradients.keys()]).toEqual(['model.norm.weight']);
  });

  it('is an adapter beside a frozen matrix, with the gradients of its two factors', async () => {
    const rank = 3;
    const draws = new Map<string, Float32Array>();
    const adapters: BackingFor = (g) => {
      const frozen = stored(g);
      const factors: { name: string; value: Value }[] = [];
      const factor = (name: string, rows: number, columns: number): Value => {
        const drawn = draws.get(name) ?? draw({ name, shape: [rows, columns], role: 'matrix' });
        draws.set(name, drawn);
        const value = g.input(name, 'float32', [rows, columns]);
        factors.push({ name, value });
        return value;
      };
      return {
        tensor: (parameter) => frozen.tensor(parameter),
        linear: (graph, x, weight, bias) => {
          const [out = 0, width = 0] = weight.shape;
          const down = factor(`${weight.name}.a`, rank, width);
          const up = factor(`${weight.name}.b`, out, rank);
          const beside = linear(graph, linear(graph, x, down), up);
          return add(graph, frozen.linear(graph, x, weight, bias), scale(graph, beside, 0.5));
        },
        trainable: () => factors,
      };
    };
    trainGraph(architecture, {
      kernels,
      time: 32,
      chunks: 1,
      accumulate: false,
      backing: adapters,
    });
    const feedsOf = (changed?: string, by = 0): Feeds =>
      Object.fromEntries(
        [...draws].map(([name, data]) => {
          const shifted =
            name === changed ? data.map((value, i) => (i === 5 ? value + by : value)) : data;
          const [rows, columns] = name.endsWith('.a')
            ? [rank, data.length / rank]
            : [data.length / rank, rank];
          return [name, float32(shifted, [rows, columns])];
        }),
      );
    const start = await step(adapters, feedsOf());
    expect(start.gradients.size).toBe(2 * 7 * tinyArchitecture.num_hidden_layers);
    for (const name of [
      'model.layers.0.self_attn.k_proj.weight.a',
      'model.layers.1.mlp.up_proj.weight.b',
    ]) {
      const h = 2e-2;
      const ends = [
        await step(adapters, feedsOf(name, h)),
        await step(adapters, feedsOf(name, -h)),
      ];
      const slope = (defined(ends[0], 'end').loss - defined(ends[1], 'end').loss) / (2 * h);
      const gradient = defined(start.gradients.get(name)?.[5], name);
      expect(Math.abs(slope - gradient)).toBeLessThan(1e-4 + 0.02 * Math.abs(gradient));
      expect(Math.abs(gradient)).toBeGreaterThan(1e-4);
    }
  });
});
