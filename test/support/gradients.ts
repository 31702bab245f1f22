/**
 * Checks the gradient rule of an operator against central finite differences of the operator run by
 * ONNX Runtime. The loss is Σ output · c for fixed random c, summed in double precision, so that
 * rounding inside the sum does not drown the difference.
 */
import { expect } from 'vitest';
import { defined } from '../../src/errors.js';
import { differentiate, Graph, mul, sumAll, type Value } from '../../src/graph/index.js';
import { createRandom } from '../../src/random.js';
import { float32, floats, kernelsOf, openDevice, type Feeds } from '../../src/runtime/index.js';
import { testProvider } from './provider.js';

export interface GradientCase {
  /** Shapes of the differentiable inputs. */
  inputs: Record<string, number[]>;
  build: (g: Graph, inputs: Record<string, Value>) => Value;
  /** Draws one input element from a standard normal; e.g. to keep logarithms positive. */
  draw?: (normal: number, input: string) => number;
  /** Feeds of further graph inputs that `build` declares. */
  feeds?: Feeds;
  tolerance?: number;
  seed?: number;
}

const step = 2e-2;

/** Asserts that analytic and numeric gradients agree for every input; returns the worst error. */
export async function checkGradient(options: GradientCase): Promise<number> {
  const random = createRandom(options.seed ?? 1);
  const draw = options.draw ?? ((normal: number) => normal);
  const data = Object.fromEntries(
    Object.entries(options.inputs).map(([name, dims]) => {
      const size = dims.reduce((a, b) => a * b, 1);
      return [name, Float32Array.from({ length: size }, () => draw(random.normal(), name))];
    }),
  );
  const feeds = (): Feeds => ({
    ...Object.fromEntries(
      Object.entries(options.inputs).map(([name, dims]) => [
        name,
        float32(defined(data[name], name), dims),
      ]),
    ),
    ...options.feeds,
  });

  const device = await openDevice({ name: testProvider, threads: 1 });
  const g = new Graph(kernelsOf(testProvider));
  const inputs = Object.fromEntries(
    Object.entries(options.inputs).map(([name, dims]) => [name, g.input(name, 'float32', dims)]),
  );
  const y = options.build(g, inputs);
  const shape = y.shape.map(Number);
  const size = shape.reduce((a, b) => a * b, 1);
  const coefficients = Float32Array.from({ length: size }, () => random.normal());
  const c = g.initializer('coefficients', coefficients, shape);
  const loss = sumAll(g, mul(g, y, c));
  g.output('value', y);
  const gradients = differentiate(g, loss, Object.values(inputs));
  Object.keys(inputs).forEach((name, i) => g.output(`d_${name}`, defined(gradients[i], name)));
  const session = await device.session(g.encode());

  const evaluate = async (): Promise<number> => {
    const values = floats((await session.run(feeds())).value);
    return values.reduce((sum, value, i) => sum + value * defined(coefficients[i], 'c'), 0);
  };
  const outputs = await session.run(feeds());
  let worst = 0;
  for (const name of Object.keys(options.inputs)) {
    const array = defined(data[name], name);
    const analytic = floats(outputs[`d_${name}`]);
    const scale = Math.max(1e-2, ...analytic.map(Math.abs));
    for (let i = 0; i < array.length; i++) {
      const numeric = await centralDifference(array, i, evaluate);
      worst = Math.max(worst, Math.abs(numeric - defined(analytic[i], name)) / scale);
    }
  }
  await session.release();
  expect(worst).toBeLessThan(options.tolerance ?? 1e-3);
  return worst;
}

/** Fourth-order central difference of `evaluate` in element i. */
async function centralDifference(
  array: Float32Array,
  i: number,
  evaluate: () => Promise<number>,
): Promise<number> {
  const start = defined(array[i], 'element');
  const at = async (offset: number): Promise<number> => {
    array[i] = start + offset;
    const value = await evaluate();
    array[i] = start;
    return value;
  };
  const near = (await at(step)) - (await at(-step));
  const far = (await at(2 * step)) - (await at(-2 * step));
  return (8 * near - far) / (12 * step);
}
