/**
 * What single pieces of work cost on a given model: a pass that trains, a pass that scores, a step
 * that writes. Passes are read off the very graphs that will run; the graphs are kept, since a moved
 * setting mostly leaves them as they are.
 */
import { planCost, type GraphCost, type Sizes } from '../../graph/index.js';
import type { Architecture } from '../../model/architecture.js';
import { parameterCount } from '../../model/parameters.js';
import { scoreChunks, scoreGraph } from '../../model/scoreGraph.js';
import { trainGraph } from '../../model/trainGraph.js';
import { sizesOf, type PassSize } from '../../model/trunk.js';
import { kernelsOf, type ProviderName } from '../../runtime/index.js';
import { lossChunksFor, type StepShape } from '../../trainer/step.js';

export interface GraphCosts {
  provider: ProviderName;
  train(shape: StepShape, accumulate: boolean, size: PassSize): GraphCost;
  /** Lines of `time` tokens. */
  score(time: number, size: PassSize): GraphCost;
}

export function createGraphCosts(architecture: Architecture, provider: ProviderName): GraphCosts {
  const kernels = kernelsOf(provider);
  const plans = new Map<string, (sizes: Sizes) => GraphCost>();
  const planned = (key: string, make: () => (sizes: Sizes) => GraphCost) => {
    const plan = plans.get(key) ?? make();
    plans.set(key, plan);
    return plan;
  };
  return {
    provider,
    train: (shape, accumulate, size) => {
      const { time } = shape;
      const chunks = shape.lossChunks ?? lossChunksFor(architecture, shape.maxTokens);
      const plan = planned(`train ${time} ${chunks} ${accumulate}`, () =>
        planCost(trainGraph(architecture, { kernels, time, chunks, accumulate })),
      );
      return plan(sizesOf(size, chunks));
    },
    score: (time, size) => {
      const plan = planned(`score ${time}`, () =>
        planCost(scoreGraph(architecture, kernels, time)),
      );
      return plan(sizesOf(size, scoreChunks));
    },
  };
}

/** One decoded token in each of `batch` rows that hold `position` tokens already. */
export interface DecodeCost {
  flops: number;
  /** Weights and cache, which are read once. */
  readBytes: number;
}

/** From the architecture's sizes: what is inside the decoder's loop no graph shows from outside. */
export function decodeStep(
  architecture: Architecture,
  batch: number,
  position: number,
): DecodeCost {
  const { layers, heads, kvHeads, headDim } = architecture;
  const weights = multiplied(architecture);
  const attention = 4 * layers * heads * headDim * position;
  const cache = 2 * layers * kvHeads * headDim * position;
  return {
    flops: batch * (2 * weights + attention),
    readBytes: 4 * (weights + batch * cache),
  };
}

/** Weights that every token is multiplied by: a table that is only looked up multiplies nothing. */
export function multiplied({ parameters }: Architecture): number {
  return parameterCount(parameters.filter(({ role }) => role !== 'lookup'));
}
