/** The first step of AdamW as PyTorch's documentation writes it, in double precision. */
import { defined } from '../../src/errors.js';

export interface AdamWStep {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  learningRate: number;
  /** Clipping factor of the gradients. */
  scale: number;
}

/** The weights after the first step, flat. */
export function adamWStep(
  weights: Float32Array,
  gradients: Float32Array,
  { beta1, beta2, epsilon, weightDecay, learningRate, scale }: AdamWStep,
): Float64Array {
  return Float64Array.from(weights, (weight, i) => {
    const g = defined(gradients[i], 'gradient') * scale;
    const first = ((1 - beta1) * g) / (1 - beta1);
    const second = ((1 - beta2) * g * g) / (1 - beta2);
    const change = (learningRate * first) / (Math.sqrt(second) + epsilon);
    return weight * (1 - learningRate * weightDecay) - change;
  });
}
