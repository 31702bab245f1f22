/** The optimizer's chains, in place, against their formulas in double precision. */
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import type { Parameter } from '../../../src/model/weights.js';
import { createRandom } from '../../../src/random.js';
import { openDevice } from '../../../src/runtime/index.js';
import { createOptimizer, stateOf, type Transform } from '../../../src/trainer/optimizer.js';
import { createStore } from '../../../src/trainer/store.js';
import { planStore } from '../../../src/trainer/storePlan.js';
import {
  adamW,
  clipByGlobalNorm,
  decayWeights,
  pullToAnchor,
  scaleByLearningRate,
  type AdamWSettings,
} from '../../../src/trainer/transforms.js';
import { snapshot } from '../../support/tinyTraining.js';
import { testProvider } from '../../support/provider.js';

const settings: AdamWSettings = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-6,
  weightDecay: 0.3,
  decayVectors: false,
};

/** Several pieces of 65,536: borders inside parameters, parameters inside pieces, a rest. */
const parameters: Parameter[] = [
  { name: 'small', shape: [3, 7], role: 'matrix' },
  { name: 'norm', shape: [65], role: 'vector' },
  { name: 'large', shape: [401, 333], role: 'matrix' },
  { name: 'bias', shape: [1], role: 'vector' },
  { name: 'last', shape: [11, 13], role: 'matrix' },
];

/** One parameter in double precision. */
interface Reference {
  weight: Float64Array;
  base: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

interface UpdateOf {
  step: number;
  learningRate: number;
  scale: number;
  vector: boolean;
}

/** What a chain does to one weight; `gradient` is before clipping. */
type Rule = (reference: Reference, i: number, gradient: number, at: UpdateOf) => void;

/** AdamW as PyTorch's documentation gives it. */
function adamWRule(decayVectors: boolean, pull = 0): Rule {
  const { beta1, beta2, epsilon, weightDecay } = settings;
  return ({ weight, base, first, second }, i, gradient, at) => {
    const w = defined(weight[i], 'w');
    const g = gradient * at.scale + pull * (w - defined(base[i], 'base'));
    const m = beta1 * defined(first[i], 'm') + (1 - beta1) * g;
    const v = beta2 * defined(second[i], 'v') + (1 - beta2) * g * g;
    const decay = at.vector && !decayVectors ? 0 : weightDecay;
    const corrected = m / (1 - beta1 ** at.step);
    first[i] = m;
    second[i] = v;
    weight[i] =
      w * (1 - at.learningRate * decay) -
      (at.learningRate * corrected) / (Math.sqrt(v / (1 - beta2 ** at.step)) + epsilon);
  };
}

/** Five updates with random gradients, by the chain and by its rule; the worst deviation by kind. */
async function deviations(transforms: Transform[], rule: Rule): Promise<Record<string, number>> {
  const random = createRandom(8);
  const draw = (shape: readonly number[]): Float32Array =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
  const start = new Map(parameters.map(({ name, shape }) => [name, draw(shape)]));
  const device = await openDevice({ name: testProvider, threads: 1 });
  const plan = planStore(parameters, stateOf(transforms), testProvider);
  const store = await createStore(device, plan, (name, values) =>
    values.set(defined(start.get(name), name)),
  );
  const optimizer = await createOptimizer(device, store, transforms);
  const references = new Map(
    [...start].map(([name, weight]): [string, Reference] => [
      name,
      {
        weight: Float64Array.from(weight),
        base: Float64Array.from(weight),
        first: new Float64Array(weight.length),
        second: new Float64Array(weight.length),
      },
    ]),
  );
  expect(store.holdsBase).toBe(true);
  for (let step = 1; step <= 5; step++) {
    const [learningRate, scale] = [0.01 * step, 1 / step];
    for (const { name, shape, role } of parameters) {
      const gradient = draw(shape);
      await store.fill('gradient', name, (values) => values.set(gradient));
      const at = { step, learningRate, scale, vector: role === 'vector' };
      gradient.forEach((value, i) => rule(defined(references.get(name), name), i, value, at));
    }
    await optimizer.update(step, learningRate, scale);
  }
  expect(store.holdsBase).toBe(false);
  const worst: Record<string, number> = {};
  const fields = { weight: 'weight', firstMoment: 'first', secondMoment: 'second' } as const;
  for (const [kind, field] of Object.entries(fields) as [keyof typeof fields, keyof Reference][]) {
    for (const [name, found] of await snapshot(store, kind)) {
      const expected = defined(references.get(name), name)[field];
      found.forEach((value, i) => {
        const deviation = Math.abs(value - defined(expected[i], name));
        worst[kind] = deviation <= (worst[kind] ?? 0) ? (worst[kind] ?? 0) : deviation;
      });
    }
  }
  await optimizer.release();
  store.release();
  return worst;
}

describe(`the optimizer on ${testProvider}`, () => {
  it.each([false, true])('is AdamW, vectors decaying: %s', async (decayVectors) => {
    const worst = await deviations(adamW({ ...settings, decayVectors }), adamWRule(decayVectors));
    expect(Object.keys(worst)).toEqual(['weight', 'firstMoment', 'secondMoment']);
    for (const value of Object.values(worst)) expect(value).toBeLessThan(2e-6);
  });

  it('pulls towards the base weights before Adam, as the gradient of the penalty', async () => {
    const [strength, count] = [30, 1000];
    const chain = adamW(settings, [pullToAnchor(strength, count)]);
    const worst = await deviations(chain, adamWRule(false, (2 * strength) / count));
    for (const value of Object.values(worst)) expect(value).toBeLessThan(2e-6);
    // The pull is not lost in the tolerance: without it the weights end elsewhere.
    expect((await deviations(chain, adamWRule(false))).weight).toBeGreaterThan(1e-3);
  });

  it('is gradient descent from other pieces, which remembers nothing', async () => {
    const chain = [clipByGlobalNorm, scaleByLearningRate, decayWeights(0.3, true)];
    expect(stateOf(chain)).toEqual([]);
    const worst = await deviations(chain, ({ weight }, i, gradient, { learningRate, scale }) => {
      const w = defined(weight[i], 'w');
      weight[i] = w * (1 - 0.3 * learningRate) - learningRate * scale * gradient;
    });
    expect(Object.keys(worst)).toEqual(['weight']);
    expect(worst.weight).toBeLessThan(2e-6);
  });
});
