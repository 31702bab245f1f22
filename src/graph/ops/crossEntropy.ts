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

export interface TokenScores {
  /** −log p(target), nats. `[targets]` */
  nll: Value;
  /** Target's logit minus the largest logit: 0 where greedy decoding would choose it. `[targets]` */
  margin: Value;
}

/**
 * −log softmax(`hidden` · `w`ᵀ) at `targets`: `hidden` `[targets, n]`, `w` `[vocab, n]`, `targets`
 * int32 `[targets]`. With p the probabilities, 1 the one-hot targets and δ the gradient of nll:
 * d hidden = δ · ((p − 1) w), d w = (p − 1)ᵀ (δ · hidden).
 */
export function linearCrossEntropy(g: Graph, hidden: Value, w: Value, targets: Value): TokenScores {
  const count = targets.shape[0] as Dim;
  const vocab = w.shape[0] as Dim;
  const column = [count, 1];
  const logits = gemm(g, hidden, w, [count, vocab], { transB: true });
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
      const minusOnes = g.emit(
        'Sub',
        [g.emit('Mul', [chosen, g.float(0)], column), g.float(1)],
        column,
      );
      const error = g.emit('ScatterElements', [p, index, minusOnes], p.shape, {
        attributes: { axis: 1, reduction: 'add' },
      });
      const back = () => gemm(g, error, w, hidden.shape, {});
      return [
        wanted[0] ? g.emit('Mul', [back(), delta], hidden.shape) : undefined,
        wanted[1]
          ? (gathered) =>
              gemm(g, error, g.emit('Mul', [hidden, delta], hidden.shape), w.shape, {
                transA: true,
                add: gathered,
              })
          : undefined,
      ];
    },
  });
  return { nll, margin: reshapeRaw(g, margin, [count]) };
}
