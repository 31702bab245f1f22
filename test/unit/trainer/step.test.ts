/** The gradients of a step do not depend on how its rows are cut and packed. */
import { describe, expect, it } from 'vitest';
import { cfs } from '../../../src/methods/cfs.js';
import { createScorer } from '../../../src/model/scoreGraph.js';
import {
  createGradientComputer,
  objectiveOf,
  type Objective,
  type StepShape,
} from '../../../src/trainer/step.js';
import { createOptimizer } from '../../../src/trainer/optimizer.js';
import { testProvider } from '../../support/provider.js';
import {
  deviation,
  randomRows,
  snapshot,
  stepOf,
  tinyOptimizer,
  tinyTraining,
} from '../../support/tinyTraining.js';

const rows = randomRows(17, 1);
const step = stepOf(rows, (row) => (row % 3 === 0 ? 'cfs' : 'dataset'));
const ofCfs = objectiveOf(cfs, { lambda: 0.7, own: {} });

async function gradientsOf(shape: StepShape, objective: Objective = ofCfs) {
  const { device, architecture, store } = await tinyTraining(testProvider);
  const computer = createGradientComputer(device, architecture, store, shape, objective);
  const report = await computer.compute(step);
  const gradients = await snapshot(store, 'gradient');
  await computer.release();
  store.release();
  return { ...report, gradients };
}

describe(`createGradientComputer on ${testProvider}`, () => {
  it('gives the loss, norm and gradients of one batch over many micro-batches', async () => {
    const whole = await gradientsOf({ time: 32, maxTokens: 2048, lossChunks: 1 });
    // One line each; several loss parts; other lines, so that rows are packed differently; more loss
    // parts than a line has targets.
    const others: StepShape[] = [
      { time: 32, maxTokens: 32, lossChunks: 1 },
      { time: 32, maxTokens: 96, lossChunks: 3 },
      { time: 64, maxTokens: 64 },
      { time: 24, maxTokens: 24, lossChunks: 20 },
    ];
    for (const shape of others) {
      const parts = await gradientsOf(shape);
      expect(parts.loss).toBeCloseTo(whole.loss, 5);
      expect(Math.abs(parts.norm / whole.norm - 1)).toBeLessThan(1e-5);
      expect(deviation(parts.gradients, whole.gradients)).toBeLessThan(1e-5);
      parts.nll.forEach((value, i) => expect(value).toBeCloseTo(whole.nll[i] ?? NaN, 4));
    }
  });

  it('gives a step of one pass the same bits after one of several, whose session it then uses', async () => {
    const { device, architecture, store } = await tinyTraining(testProvider);
    const few = stepOf(rows.slice(0, 2), () => 'dataset');
    const shape = { time: 32, maxTokens: 64 };
    const computer = createGradientComputer(device, architecture, store, shape, ofCfs);
    const fresh = await computer.compute(few);
    const before = await snapshot(store, 'gradient');
    await computer.compute(step);
    expect(deviation(before, await snapshot(store, 'gradient'))).toBeGreaterThan(0);
    expect((await computer.compute(few)).norm).toBe(fresh.norm);
    expect(deviation(before, await snapshot(store, 'gradient'))).toBe(0);
    await computer.release();
    store.release();
  });

  it('leaves what an update or a checkpoint has written as it is', async () => {
    const { device, architecture, store } = await tinyTraining(testProvider);
    const name = 'model.norm.weight';
    await store.fill('secondMoment', name, (values) => void values.fill(2));
    const computer = createGradientComputer(
      device,
      architecture,
      store,
      { time: 32, maxTokens: 2048 },
      ofCfs,
    );
    await computer.compute(step);
    expect((await snapshot(store, 'secondMoment')).get(name)).toEqual(new Float32Array(24).fill(2));
    await computer.release();
    const optimizer = await createOptimizer(device, store, tinyOptimizer());
    await optimizer.update(1, 1e-3, 1);
    const moments = await snapshot(store, 'firstMoment');
    await store.touch();
    expect(deviation(moments, await snapshot(store, 'firstMoment'))).toBe(0);
    await optimizer.release();
    store.release();
  });

  it('reports what the scorer measures, each source by its own mean', async () => {
    const { device, architecture, store } = await tinyTraining(testProvider);
    const scorer = createScorer(device, architecture);
    const scores = await scorer.score(store.weights, rows);
    await scorer.release();
    store.release();
    const mean = (source: string): number => {
      const values = scores
        .filter((_, row) => step.sources[row] === source)
        .flatMap(({ logprob }) => [...logprob]);
      return -values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const { losses, loss, nll, tokens, norm, gradients } = await gradientsOf({
      time: 32,
      maxTokens: 128,
    });
    expect(losses.dataset).toBeCloseTo(mean('dataset'), 4);
    expect(losses.cfs).toBeCloseTo(mean('cfs'), 4);
    expect(loss).toBeCloseTo(mean('dataset') + 0.7 * mean('cfs'), 4);
    expect(tokens).toBe(rows.reduce((sum, { ids }) => sum + ids.length, 0));
    const flat = scores.flatMap(({ logprob }) => [...logprob]);
    flat.forEach((value, i) => expect(nll[i]).toBeCloseTo(-value, 4));
    const squares = [...gradients.values()].flatMap((data) => [...data]);
    const expected = Math.sqrt(squares.reduce((sum, value) => sum + value * value, 0));
    expect(Math.abs(norm / expected - 1)).toBeLessThan(1e-5);
  });
});
