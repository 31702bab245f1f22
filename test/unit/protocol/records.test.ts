/** Runs of other versions are read as those of this one. */
import { describe, expect, it } from 'vitest';
import { lossParts, lossPoints, runCurves } from '../../../src/protocol/curveData.js';
import { runEventSchema, type RunEvent } from '../../../src/protocol/records.js';
import { runInfoSchema } from '../../../src/protocol/runInfo.js';
import { runInfo } from '../../support/runInfo.js';

const common = {
  ...{ type: 'train_step', time: '2026-11-22T19:10:38.000Z', loss: 3 },
  ...{ learningRate: 0.001, gradNorm: 1.5, tokens: 64 },
  ...{ tokensPerSecond: 900, secondsLeft: 12.5, skipped: false },
};
/** As the first format had it. */
const firstStep = (step: number, sftLoss: number | null, cfsLoss: number | null): string =>
  JSON.stringify({ ...common, step, sftLoss, cfsLoss });
const read = (line: string): RunEvent => runEventSchema.parse(JSON.parse(line));

describe('a step of the first format', () => {
  it('has its losses by source', () => {
    const event = read(firstStep(3, 2.5, null));
    expect(event).toEqual({ ...common, step: 3, losses: { dataset: 2.5, cfs: null } });
    expect(read(JSON.stringify(event))).toEqual(event);
  });

  it('is drawn as one of this format', () => {
    const curves = runCurves([read(firstStep(1, 2, 1)), read(firstStep(2, 1.5, null))]);
    const parts = lossParts([curves]);
    expect(parts.map(({ label, source }) => [label, source])).toEqual([
      ['total', undefined],
      ['dataset (SFT)', 'dataset'],
      ['context-free samples (CFS)', 'cfs'],
    ]);
    expect(parts.map((part) => lossPoints(curves, part))).toEqual([
      [
        [1, 3],
        [2, 3],
      ],
      [
        [1, 2],
        [2, 1.5],
      ],
      [[1, 1]],
    ]);
    const standard = runCurves([read(firstStep(1, 2, null))]);
    expect(lossParts([standard]).map(({ source }) => source)).toEqual([undefined, 'dataset']);
  });

  it('is no step when a part of it is missing', () => {
    expect(runEventSchema.safeParse({ ...common, step: 1, cfsLoss: 1 }).success).toBe(false);
  });
});

describe('a run of a newer version', () => {
  it('draws sources that nobody knows here, in the order of the record', () => {
    const losses = { dataset: 2, replay: 1.5, cfs: 1 };
    const curves = runCurves([runEventSchema.parse({ ...common, step: 1, losses })]);
    expect(lossParts([curves]).map(({ label }) => label)).toEqual([
      ...['total', 'dataset (SFT)', 'replay', 'context-free samples (CFS)'],
    ]);
  });

  it('has a method that nobody knows here', () => {
    expect(runInfoSchema.parse({ ...runInfo({ id: 'a' }), method: 'of-tomorrow' }).method).toBe(
      'of-tomorrow',
    );
  });
});
