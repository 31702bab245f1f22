import { describe, expect, it } from 'vitest';
import { trueHistory } from '../../../src/protocol/history.js';
import { runEventSchema, sampleRecordSchema } from '../../../src/protocol/records.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { engineMessageSchema } from '../../../src/protocol/engine.js';

const time = '2026-01-02T00:00:00.000Z';

function started(step: number): RunEvent {
  return { type: 'run_started', time, step, provider: 'cpu', versions: {} };
}

function trained(step: number, loss: number | null): RunEvent {
  return {
    type: 'train_step',
    time,
    step,
    loss,
    losses: { dataset: loss },
    learningRate: 1e-4,
    gradNorm: 1,
    tokens: 10,
    tokensPerSecond: 5,
    secondsLeft: 1,
  };
}

describe('trueHistory', () => {
  it('leaves out the steps that a resumed run did again', () => {
    const events = [started(0), trained(1, 9), trained(2, 8), trained(3, 7)];
    const again = [started(1), trained(2, 6), started(1), trained(2, 5), trained(3, 4)];
    const losses = trueHistory([...events, ...again]).flatMap((event) =>
      event.type === 'train_step' ? [[event.step, event.loss]] : [],
    );
    expect(losses).toEqual([
      [1, 9],
      [2, 5],
      [3, 4],
    ]);
  });

  it('keeps what is of no step', () => {
    const warning: RunEvent = { type: 'warning', time, code: 'A', message: 'm', remedy: 'r' };
    expect(trueHistory([started(0), warning, trained(1, 2), started(0)])).toContainEqual(warning);
  });
});

describe('records', () => {
  it('reads a non-finite loss, which JSON writes as null', () => {
    const line = JSON.stringify(trained(1, NaN));
    expect(runEventSchema.parse(JSON.parse(line))).toMatchObject({ step: 1, loss: null });
  });

  it('refuses a sample whose lists differ in length', () => {
    const sample = { index: 0, bosId: 1, tokens: [5, 6], text: 'a b', pieces: ['a', ' b'] };
    const rest = { entropy: 1, stop: 'eos' };
    const whole = { ...sample, ...rest, logprobs: [-1, -2] };
    expect(sampleRecordSchema.safeParse(whole).success).toBe(true);
    expect(sampleRecordSchema.safeParse({ ...whole, logprobs: [-1] }).success).toBe(false);
  });

  it('refuses an engine message of an unknown event', () => {
    const message = { type: 'event', event: { type: 'run_paused', time } };
    expect(engineMessageSchema.safeParse(message).success).toBe(false);
  });
});
