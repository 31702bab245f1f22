/**
 * The output layer and the cross-entropy after it, as one operator. Keeping them together means
 * that the matrix of logits is never scaled or copied for the backward pass: the weight of each
 * token is applied to the narrow side of both products instead.
 */
import type { Dim } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { gemm } from './matmul.js';
import { maxLast } from './reduce.js';
import { reshapeRaw } from './shape.js';
import { softcapRaw, tanhSlope } from './unary.js';

export interface TokenScores {
  /** −log p(target), nats. `[targets]` */
  nll: Value;
  /** Target's logit minus the largest logit: 0 where greedy decoding would choose it. `[targets]` */
  margin: Value;
}

/** What a family does to its logits. */
export interface LogitOptions {
  /** Factor on the logits (Cohere). */
  scale?: number | undefined;
  /** Bound of the scaled logits, for `softcap` (Gemma 2). */
  softcap?: number | undefined;
}

/**
 * −log softmax(z) at `targets` for the logits z = softcap(`scale` · `hidden` · `w`ᵀ): `hidden`
 * `[targets, n]`, `w` `[vocab, n]`, `targets` int32 `[targets]`. With p the probabilities, 1 the
 * one-hot targets, s the scale times the slope of the soft cap, and δ the gradient of nll:
 * d hidden = δ · (s(p − 1) w), d w = (s(p − 1))ᵀ (δ · hidden).
 */
export function linearCrossEntropy(
  g: Graph,
  hidden: Value,
  w: Value,
  targets: Value,
  { scale, softcap }: LogitOptions = {},
): TokenScores {
  const count = targets.shape[0] as Dim;
  const vocab = w.shape[0] as Dim;
  const column = [count, 1];
  const product = gemm(g, hidden, w, [count, vocab], { transB: true, alpha: scale });
  const capped = softcap === undefined ? undefined : softcapRaw(g, product, softcap);
  const logits = capped?.y ?? product;
  const index = reshapeRaw(g, targets, column);
  const chosen = g.emit('GatherElements', [logits, index], column, { attributes: { axis: 1 } });
  const largest = maxLast(g, logits);
  const p = g.emit('Softmax', [logits], logits.shape, { attributes: { axis: -1 } });
  // log Σ exp z = max z − log max p, and max p ≥ 1/vocab is never lost to underflow.
  const logLargest = g.emit('Log', [maxLast(g, p)], column);
  const margin = g.emit('Sub', [chosen, largest], column);
  const logprob = g.emit('Add', [margin, logLargest], column);
  const nll = reshapeRaw(g, g.emit('Neg', [logprob], column), [count]);
  g.record({
    operator: 'LinearCrossEntropy',
    inputs: [hidden, w],
    outputs: [nll],
    gradient: ([dy], wanted) => {
      if (!dy) return [];
      const delta = reshapeRaw(g, dy, column);
      const zeros = g.emit('Mul', [chosen, g.scalar(0, chosen)], column);
      const minusOnes = g.emit('Sub', [zeros, g.scalar(1, zeros)], column);
      const fromTargets = g.emit('ScatterElements', [p, index, minusOnes], p.shape, {
        attributes: { axis: 1, reduction: 'add' },
      });
      const error = capped
        ? g.emit('Mul', [fromTargets, tanhSlope(g, capped.t)], p.shape)
        : fromTargets;
      const back = () => gemm(g, error, w, hidden.shape, { alpha: scale });
      return [
        wanted[0] ? g.emit('Mul', [back(), delta], hidden.shape) : undefined,
        wanted[1]
          ? (gathered) =>
              gemm(g, error, g.emit('Mul', [hidden, delta], hidden.shape), w.shape, {
                transA: true,
                alpha: scale,
                add: gathered,
              })
          : undefined,
      ];
    },
  });
  return { nll, margin: reshapeRaw(g, margin, [count]) };
}
