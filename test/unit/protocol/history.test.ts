import { describe, expect, it } from 'vitest';
import { timeWorked, trueHistory } from '../../../src/protocol/history.js';
import { runEventSchema, sampleRecordSchema } from '../../../src/protocol/records.js';
import type { Phase, RunEvent } from '../../../src/protocol/records.js';
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

describe('timeWorked', () => {
  const at = (seconds: number): string =>
    new Date(Date.UTC(2026, 0, 2) + seconds * 1000).toISOString();
  const phase = (name: Phase, seconds: number): RunEvent => ({
    type: 'phase',
    time: at(seconds),
    phase: name,
    progress: 0,
    total: 0,
  });
  const begin = (seconds: number, step: number): RunEvent[] => [
    phase('loading', seconds),
    { ...started(step), time: at(seconds + 2) },
  ];
  const step = (number: number, seconds: number): RunEvent => ({
    ...trained(number, 1),
    time: at(seconds),
  });
  const hour = 3600;
  // Stopped in training, killed in training, and finished. Step 2 is worked on twice.
  const sessions: RunEvent[] = [
    ...begin(0, 0),
    phase('evaluating', 3),
    phase('training', 13),
    step(1, 20),
    { type: 'run_stopped', time: at(21), step: 1 },
    ...begin(hour, 1),
    phase('training', hour + 4),
    step(2, hour + 30),
    ...begin(2 * hour, 1),
    phase('training', 2 * hour + 3),
    step(2, 2 * hour + 23),
    phase('evaluating', 2 * hour + 23),
    phase('training', 2 * hour + 28),
    step(3, 2 * hour + 40),
    phase('saving', 2 * hour + 40),
    { type: 'run_finished', time: at(2 * hour + 41.5), step: 3 },
  ];

  it('counts every session to its last event, by phase, and nothing between them', () => {
    expect(timeWorked(sessions)).toEqual({
      loading: 3 + 4 + 3,
      training: 8 + 26 + (20 + 12),
      evaluating: 10 + 5,
      saving: 1.5,
      total: 21 + 30 + 41.5,
    });
  });

  it('is that of its sessions one by one, also where the log has no loading', () => {
    const bare = sessions.filter((event) => event.type !== 'phase' || event.phase !== 'loading');
    expect(timeWorked(bare).total).toBe(92.5 - 3 * 2);
  });

  it('is nothing before the first event', () => {
    expect(timeWorked([])).toEqual({ total: 0 });
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
