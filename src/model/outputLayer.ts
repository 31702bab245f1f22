/** Logits from the output layer that a family describes. */
import { softcap, type Dim, type Graph, type Value } from '../graph/index.js';
import type { OutputLayer } from './architecture.js';

/** softcap(scale · hidden · weightᵀ): `[tokens, vocab]`. Has no gradient: training fuses it with its loss. */
export function outputLogits(
  g: Graph,
  { hidden, weight, scale, softcap: cap }: OutputLayer,
): Value {
  const shape = [hidden.shape[0] as Dim, weight.shape[0] as Dim];
  const product = g.emit('Gemm', [hidden, weight], shape, { attributes: { transB: 1 } });
  const scaled =
    scale === undefined ? product : g.emit('Mul', [product, g.scalar(scale, product)], shape);
  return cap === undefined ? scaled : softcap(g, scaled, cap);
}
