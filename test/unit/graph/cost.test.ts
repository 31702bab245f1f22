/** What a graph costs, counted by hand for small ones and compared with known formulas for a Llama. */
import { describe, expect, it } from 'vitest';
import { Graph, linear, planCost, silu } from '../../../src/graph/index.js';
import { trainGraph } from '../../../src/model/trainGraph.js';
import { configOf, shapes, stepFlops } from '../../../bench/shapes.js';
import { configArchitecture } from '../../support/configArchitecture.js';

const kernels = { fusedMatMul: true };

describe('the cost of a graph', () => {
  it('counts products, memory walked through and the highest moment', () => {
    const g = new Graph(kernels);
    const x = g.input('x', 'float32', ['rows', 8]);
    const w = g.input('w', 'float32', [16, 8]);
    const hidden = linear(g, x, w);
    g.output('y', silu(g, hidden));
    const cost = planCost(g)({ rows: 3 });
    expect(cost.flops).toBe(2 * 3 * 8 * 16);
    const bytes = 4 * 3 * 16;
    // Sigmoid reads and writes one matrix, the product reads two and writes one.
    expect(cost.movedBytes).toBe(5 * bytes);
    // hidden and its sigmoid; the product takes the place of one of them.
    expect(cost.peakBytes).toBe(2 * bytes);
    expect(planCost(g)({ rows: 6 }).flops).toBe(2 * cost.flops);
  });

  it('does not know a size that it was not given', () => {
    const g = new Graph(kernels);
    g.output('y', silu(g, g.input('x', 'float32', ['rows', 8])));
    expect(() => planCost(g)({})).toThrow('no size rows');
  });

  it('agrees with 6 · parameters · tokens and the attention products for a training step', () => {
    for (const shape of Object.values(shapes)) {
      const architecture = configArchitecture(configOf(shape));
      const [lines, time] = [16, 128];
      const graph = trainGraph(architecture, { kernels, time, chunks: 1, accumulate: false });
      const targets0 = lines * time;
      const { flops } = planCost(graph)({ batch: lines, unique: 1, targets0 });
      expect(flops / stepFlops(shape, lines, time).total).toBeCloseTo(1, 1);
    }
  });
});
