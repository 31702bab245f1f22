/** AdamW in place against the formulas of PyTorch's documentation in double precision. */
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import type { Parameter } from '../../../src/model/architecture.js';
import { createRandom } from '../../../src/random.js';
import { openDevice } from '../../../src/runtime/index.js';
import { createAdamW, type AdamWSettings } from '../../../src/trainer/adamw.js';
import { createStore } from '../../../src/trainer/parameterStore.js';
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
  { name: 'small', shape: [3, 7], vector: false },
  { name: 'norm', shape: [65], vector: true },
  { name: 'large', shape: [401, 333], vector: false },
  { name: 'bias', shape: [1], vector: true },
  { name: 'last', shape: [11, 13], vector: false },
];

/** One parameter in double precision. */
interface Reference {
  weight: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

function referenceStep(
  { weight, first, second }: Reference,
  gradient: Float32Array,
  step: number,
  learningRate: number,
  scale: number,
  weightDecay: number,
): void {
  const { beta1, beta2, epsilon } = settings;
  gradient.forEach((value, i) => {
    const g = value * scale;
    const m = beta1 * defined(first[i], 'm') + (1 - beta1) * g;
    const v = beta2 * defined(second[i], 'v') + (1 - beta2) * g * g;
    const decayed = defined(weight[i], 'w') * (1 - learningRate * weightDecay);
    const corrected = m / (1 - beta1 ** step);
    first[i] = m;
    second[i] = v;
    weight[i] =
      decayed - (learningRate * corrected) / (Math.sqrt(v / (1 - beta2 ** step)) + epsilon);
  });
}

describe(`createAdamW on ${testProvider}`, () => {
  it.each([false, true])('follows the formulas, vectors decaying: %s', async (decayVectors) => {
    const random = createRandom(8);
    const draw = (shape: number[]): Float32Array =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
    const start = new Map(parameters.map(({ name, shape }) => [name, draw(shape)]));
    const device = await openDevice({ name: testProvider, threads: 1 });
    const store = await createStore(device, parameters, (name) => defined(start.get(name), name));
    const adamW = await createAdamW(device, store, { ...settings, decayVectors });
    const references = new Map(
      [...start].map(([name, weight]) => [
        name,
        {
          weight: Float64Array.from(weight),
          first: new Float64Array(weight.length),
          second: new Float64Array(weight.length),
        },
      ]),
    );
    for (let step = 1; step <= 5; step++) {
      const [learningRate, scale] = [0.01 * step, 1 / step];
      for (const { name, shape, vector } of parameters) {
        const gradient = draw(shape);
        await store.write('gradient', name, gradient);
        const decay = vector && !decayVectors ? 0 : settings.weightDecay;
        const reference = defined(references.get(name), name);
        referenceStep(reference, gradient, step, learningRate, scale, decay);
      }
      await adamW.update(step, learningRate, scale);
    }
    for (const [kind, of] of [
      ['weight', 'weight'],
      ['firstMoment', 'first'],
      ['secondMoment', 'second'],
    ] as const) {
      for (const [name, found] of await snapshot(store, kind)) {
        const expected = defined(references.get(name), name)[of];
        const worst = found.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - defined(expected[i], name))),
          0,
        );
        expect(worst, `${kind} of ${name}`).toBeLessThan(2e-6);
      }
    }
    await adamW.release();
    store.release();
  });
});
