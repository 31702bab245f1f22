/** Logits from the output layer that a family describes. */
import { linearOfFewRows, softcap, type Graph, type Value } from '../graph/index.js';
import type { OutputLayer } from './architecture.js';

/** softcap(scale · hidden · weightᵀ): `[tokens, vocab]`. Has no gradient: training fuses it with its loss. */
export function outputLogits(
  g: Graph,
  { hidden, weight, scale, softcap: cap }: OutputLayer,
): Value {
  const product = linearOfFewRows(g, hidden, weight);
  const scaled =
    scale === undefined
      ? product
      : g.emit('Mul', [product, g.scalar(scale, product)], product.shape);
  return cap === undefined ? scaled : softcap(g, scaled, cap);
}
