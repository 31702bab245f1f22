/** AdamW (Loshchilov & Hutter 2019) as PyTorch defines it, as one small graph that runs in place. */
import { anyShape, Graph } from '../graph/index.js';
import { float32, kernelsOf, type Device, type Tensor } from '../runtime/index.js';
import type { ParameterStore } from './parameterStore.js';

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Whether norms and biases decay too; PyTorch does it unless told otherwise, trainers do not. */
  decayVectors: boolean;
}

export interface AdamW {
  /**
   * Update number `step` (from 1) of every parameter: gradients times `gradientScale` (the clipping
   * factor) move the moments, the moments move the weights.
   */
  update(step: number, learningRate: number, gradientScale: number): Promise<void>;
  release(): Promise<void>;
}

export async function createAdamW(
  device: Device,
  store: ParameterStore,
  settings: AdamWSettings,
): Promise<AdamW> {
  const outputs = ['newWeight', 'newFirstMoment', 'newSecondMoment'];
  // Bound by memory and made of small nodes: a second thread waits more than it works.
  const session = await device.session(adamWGraph(device, settings), outputs, 1);
  const { beta1, beta2, epsilon, weightDecay, decayVectors } = settings;
  return {
    update: async (step, learningRate, gradientScale) => {
      const root = Math.sqrt(1 - beta2 ** step);
      // lr/(1−β1ᵗ) · m / (√v/root + ε) = lr·root/(1−β1ᵗ) · m / (√v + ε·root)
      const common = {
        firstFactor: scalar((1 - beta1) * gradientScale),
        secondFactor: scalar((1 - beta2) * gradientScale ** 2),
        stepSize: scalar((learningRate * root) / (1 - beta1 ** step)),
        epsilon: scalar(epsilon * root),
      };
      const decay = scalar(1 - learningRate * weightDecay);
      const noDecay = scalar(1);
      for (const { weight, gradient, firstMoment, secondMoment, vector } of store.pieces) {
        await session.run(
          {
            ...common,
            keep: vector && !decayVectors ? noDecay : decay,
            weight: weight.tensor,
            gradient: gradient.tensor,
            firstMoment: firstMoment.tensor,
            secondMoment: secondMoment.tensor,
          },
          { newWeight: weight, newFirstMoment: firstMoment, newSecondMoment: secondMoment },
        );
      }
    },
    release: () => session.release(),
  };
}

/**
 * m ← β1·m + (1−β1)·s·g; v ← β2·v + (1−β2)·(s·g)²; w ← keep·w − stepSize · m/(√v + ε).
 * Every input is read for the last time by the node that computes its successor, so the outputs may
 * be the inputs' own memory.
 */
function adamWGraph(device: Device, { beta1, beta2 }: AdamWSettings): Uint8Array {
  const g = new Graph(kernelsOf(device.provider.name));
  // Pieces are one-dimensional on the CPU and shaped like the parameter elsewhere: rank is left open.
  const tensor = (name: string) => g.input(name, 'float32', anyShape);
  const number = (name: string) => g.input(name, 'float32', []);
  const [weight, gradient] = [tensor('weight'), tensor('gradient')];
  const [first, second] = [tensor('firstMoment'), tensor('secondMoment')];
  const op = (name: string, ...inputs: (typeof weight)[]) => g.emit(name, inputs, weight.shape);

  // The clipping factor s is folded into both factors: (1−β1)·s and (1−β2)·s².
  const newFirst = op(
    'Add',
    op('Mul', first, g.scalar(beta1, first)),
    op('Mul', gradient, number('firstFactor')),
  );
  const newSecond = op(
    'Add',
    op('Mul', second, g.scalar(beta2, second)),
    op('Mul', op('Mul', gradient, gradient), number('secondFactor')),
  );
  const divisor = op('Add', op('Sqrt', newSecond), number('epsilon'));
  const change = op('Mul', op('Div', newFirst, divisor), number('stepSize'));
  g.output('newFirstMoment', newFirst);
  g.output('newSecondMoment', newSecond);
  g.output('newWeight', op('Sub', op('Mul', weight, number('keep')), change));
  return g.encode('adamw');
}

function scalar(value: number): Tensor {
  return float32(Float32Array.of(value), []);
}
