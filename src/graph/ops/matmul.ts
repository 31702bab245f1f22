/** Matrix products: linear layers in the Hugging Face weight layout, and batched products. */
import { broadcast, sameShape, type Dim, type Shape } from '../dims.js';
import type { Graph, Value } from '../graph.js';
import { sumTo } from './reduce.js';
import { reshapeRaw, transposeRaw } from './shape.js';

/**
 * `x · wᵀ + bias` for `x` `[rows, in]`, `w` `[out, in]`, `bias` `[out]`, as `nn.Linear` stores them.
 * Neither pass transposes a copy, and weight gradients accumulate inside the product.
 */
export function linear(g: Graph, x: Value, w: Value, bias?: Value): Value {
  return affine(g, x, w, bias, true);
}

/** `x · w + bias` for `w` `[in, out]`, as GPT-2's `Conv1D` stores it. */
export function conv1d(g: Graph, x: Value, w: Value, bias?: Value): Value {
  return affine(g, x, w, bias, false);
}

function affine(g: Graph, x: Value, w: Value, bias: Value | undefined, transB: boolean): Value {
  const out = w.shape[transB ? 0 : 1] as Dim;
  const y = gemm(g, x, w, [x.shape[0] as Dim, out], { transB, add: bias });
  return g.record({
    operator: 'Gemm',
    inputs: bias ? [x, w, bias] : [x, w],
    outputs: [y],
    gradient: ([dy], wanted) => {
      if (!dy) return [];
      return [
        wanted[0] ? gemm(g, dy, w, x.shape, { transB: !transB }) : undefined,
        wanted[1]
          ? (gathered) =>
              transB
                ? gemm(g, dy, x, w.shape, { transA: true, add: gathered })
                : gemm(g, x, dy, w.shape, { transA: true, add: gathered })
          : undefined,
        wanted[2] && bias ? sumTo(g, dy, bias.shape) : undefined,
      ];
    },
  });
}

/** Up to so many rows `linearOfFewRows` beats `Gemm`; beyond, the weights are packed for less than it saves. */
const fewRows = 128;

/**
 * `linear` for a few rows, fixed in number, without a gradient: w · xᵀ where the CPU computes. ONNX
 * Runtime packs the right factor of a product anew in every run, so the weights, which may have many
 * GB, stand on the left: 16 matrices of 2048² and 8 rows take 18 ms instead of 30.
 */
export function linearOfFewRows(g: Graph, x: Value, w: Value, bias?: Value): Value {
  const rows = x.shape[0] as Dim;
  const [out, width] = w.shape as [Dim, Dim];
  if (!g.kernels.fusedMatMul || typeof rows !== 'number' || rows > fewRows) {
    return gemm(g, x, w, [rows, out], { transB: true, add: bias });
  }
  const y =
    rows === 1
      ? reshapeRaw(g, g.emit('MatMul', [w, reshapeRaw(g, x, [width, 1])], [out, 1]), [1, out])
      : transposeRaw(g, batched(g, w, x, false, true, 1), [1, 0]);
  return bias ? g.emit('Add', [y, bias], y.shape) : y;
}

interface GemmOptions {
  transA?: boolean;
  transB?: boolean;
  /** Factor on the product. */
  alpha?: number | undefined;
  /** Added to the product. */
  add?: Value | undefined;
}

/** ONNX `Gemm` without a gradient rule, for the rules of other operators. */
export function gemm(g: Graph, a: Value, b: Value, shape: Shape, options: GemmOptions): Value {
  const { transA = false, transB = false, alpha, add } = options;
  return g.emit('Gemm', add ? [a, b, add] : [a, b], shape, {
    attributes: {
      transA: Number(transA),
      transB: Number(transB),
      ...(alpha === undefined ? {} : { alpha: { float: alpha } }),
    },
  });
}

export interface MatmulOptions {
  transA?: boolean;
  transB?: boolean;
  /** The product is multiplied by this. */
  alpha?: number;
}

/**
 * Batched `alpha · a · b` over the last two axes, each factor optionally transposed there; the
 * leading axes broadcast.
 */
export function matmul(g: Graph, a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  const y = batched(g, a, b, transA, transB, alpha);
  return g.record({
    operator: 'MatMul',
    inputs: [a, b],
    outputs: [y],
    gradient: ([dy], wanted) => {
      if (!dy) return [];
      const da = () =>
        transA ? batched(g, b, dy, transB, true, alpha) : batched(g, dy, b, false, !transB, alpha);
      const db = () =>
        transB ? batched(g, dy, a, true, transA, alpha) : batched(g, a, dy, !transA, false, alpha);
      return [
        wanted[0] ? fit(g, da(), a.shape) : undefined,
        wanted[1] ? fit(g, db(), b.shape) : undefined,
      ];
    },
  });
}

function fit(g: Graph, gradient: Value, shape: Shape): Value {
  return sameShape(gradient.shape, shape) ? gradient : sumTo(g, gradient, shape);
}

function batched(
  g: Graph,
  a: Value,
  b: Value,
  transA: boolean,
  transB: boolean,
  alpha: number,
): Value {
  const [m, k] = lastTwo(a.shape, transA);
  const [k2, n] = lastTwo(b.shape, transB);
  if (k !== k2) {
    throw new Error(`Cannot multiply [${a.shape.join(', ')}] by [${b.shape.join(', ')}]`);
  }
  const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  if (g.kernels.fusedMatMul) {
    return g.emit('FusedMatMul', [a, b], shape, {
      domain: 'com.microsoft',
      attributes: {
        transA: Number(transA),
        transB: Number(transB),
        alpha: { float: alpha },
      },
    });
  }
  const left = transA ? swapLast(g, a) : a;
  const right = transB ? swapLast(g, b) : b;
  const y = g.emit('MatMul', [left, right], shape);
  return alpha === 1 ? y : g.emit('Mul', [y, g.scalar(alpha, y)], shape);
}

function swapLast(g: Graph, x: Value): Value {
  const order = x.shape.map((_, i) => i);
  const rank = order.length;
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return transposeRaw(g, x, order);
}

function lastTwo(shape: Shape, swapped: boolean): [Dim, Dim] {
  const [rows, columns] = shape.slice(-2) as [Dim, Dim];
  return swapped ? [columns, rows] : [rows, columns];
}
