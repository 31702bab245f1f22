/**
 * The pieces that optimizers are composed of, in the style of optax: each takes the update so far
 * and gives the next. `adamW` is one chain of them; another optimizer is another chain.
 */
import type { Factor, Transform } from './optimizer.js';

/** Scales the gradients by what clipping their global norm asks for. */
export const clipByGlobalNorm: Transform = {
  state: [],
  emit: ({ value, factor }) => ({ value, factor: (at) => factor(at) * at.clipScale }),
};

/**
 * Adds the gradient of `strength` · Σ(θ − θ*)² / `count` to the update: the pull towards the base
 * weights θ* of ℓ2 regularization, where `count` is the number of all weights.
 */
export function pullToAnchor(strength: number, count: number): Transform {
  return {
    state: ['anchor'],
    emit: ({ value, factor }, e) => {
      const drift = e.op('Sub', e.weight, e.state('anchor'));
      const pull = e.op('Mul', drift, e.constant((2 * strength) / count));
      return { value: e.op('Add', e.op('Mul', value, e.number(factor)), pull), factor: () => 1 };
    },
  };
}

/**
 * Adam's direction (Kingma & Ba 2015) as PyTorch computes it: m ← β1·m + (1−β1)·g,
 * v ← β2·v + (1−β2)·g², then m/(1−β1ᵗ) / (√(v/(1−β2ᵗ)) + ε).
 */
export function scaleByAdam({ beta1, beta2, epsilon }: AdamSettings): Transform {
  // m/(1−β1ᵗ) / (√v/root + ε) = root/(1−β1ᵗ) · m / (√v + ε·root), root = √(1−β2ᵗ)
  const root: Factor = ({ step }) => Math.sqrt(1 - beta2 ** step);
  return {
    state: ['firstMoment', 'secondMoment'],
    emit: ({ value, factor }, e) => {
      const first = e.op(
        'Add',
        e.op('Mul', e.state('firstMoment'), e.constant(beta1)),
        e.op(
          'Mul',
          value,
          e.number((at) => (1 - beta1) * factor(at)),
        ),
      );
      const second = e.op(
        'Add',
        e.op('Mul', e.state('secondMoment'), e.constant(beta2)),
        e.op(
          'Mul',
          e.op('Mul', value, value),
          e.number((at) => (1 - beta2) * factor(at) ** 2),
        ),
      );
      e.remember('firstMoment', first);
      e.remember('secondMoment', second);
      const divisor = e.op(
        'Add',
        e.op('Sqrt', second),
        e.number((at) => epsilon * root(at)),
      );
      return {
        value: e.op('Div', first, divisor),
        factor: (at) => root(at) / (1 - beta1 ** at.step),
      };
    },
  };
}

export const scaleByLearningRate: Transform = {
  state: [],
  emit: ({ value, factor }) => ({ value, factor: (at) => factor(at) * at.learningRate }),
};

/** Decoupled weight decay: w ← (1 − lr·decay)·w, sparing norms and biases unless `vectors`. */
export function decayWeights(decay: number, vectors: boolean): Transform {
  return {
    state: [],
    emit: (update, e) => {
      e.keep((at) => (at.vector && !vectors ? 1 : 1 - at.learningRate * decay));
      return update;
    },
  };
}

export interface AdamSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
}

export interface AdamWSettings extends AdamSettings {
  weightDecay: number;
  /** Whether norms and biases decay too; PyTorch does it unless told otherwise, trainers do not. */
  decayVectors: boolean;
}

/** AdamW (Loshchilov & Hutter 2019) behind clipping, with what `regularizers` add to the gradient. */
export function adamW(
  settings: AdamWSettings,
  regularizers: readonly Transform[] = [],
): Transform[] {
  return [
    clipByGlobalNorm,
    ...regularizers,
    scaleByAdam(settings),
    scaleByLearningRate,
    decayWeights(settings.weightDecay, settings.decayVectors),
  ];
}
