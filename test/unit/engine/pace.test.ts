/** How fast a job says it goes: start-up is no speed, and samples are told while they are written. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openModel } from '../../../src/engine/model.js';
import { createRate } from '../../../src/engine/progress.js';
import { stepsLeft, writeSamples } from '../../../src/engine/sampling.js';
import type { Decoder } from '../../../src/model/decoder.js';
import { eventsOf } from '../../../src/protocol/history.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());
const pass = (seconds: number) => void vi.advanceTimersByTime(seconds * 1000);

it('takes rate and time left from the steps after the first', () => {
  const rate = createRate();
  const steps = 12;
  const step = (number: number) => rate.note(100, { done: 1, left: steps - number });
  pass(480);
  expect(step(1)).toEqual({ perSecond: null, secondsLeft: null });
  pass(2);
  expect(step(2)).toEqual({ perSecond: 50, secondsLeft: 20 });
  pass(4);
  expect(step(3)).toEqual({ perSecond: 200 / 6, secondsLeft: 27 });
});

it('looks back some seconds for the speed, and to the first step for the time left', () => {
  const rate = createRate();
  rate.note(10, { done: 1, left: 100 });
  for (let left = 99; left > 90; left--) {
    pass(10);
    rate.note(10, { done: 1, left });
  }
  pass(1);
  const { perSecond, secondsLeft } = rate.note(10, { done: 1, left: 90 });
  expect(perSecond).toBeCloseTo(10);
  expect(secondsLeft).toBeCloseTo(90 * 9.1);
});

it('has nothing left after a first step that is the last', () => {
  expect(createRate().note(5, { done: 1, left: 0 })).toEqual({ perSecond: null, secondsLeft: 0 });
});

it('counts the steps of rows side by side, the next sample in the row that ends first', () => {
  expect(stepsLeft({ drafts: [60, 60], waiting: 0 }, 2, 100)).toBe(40);
  // One more sample, in the row that ends after 10 steps.
  expect(stepsLeft({ drafts: [20, 90], waiting: 1 }, 2, 100)).toBe(110);
  expect(stepsLeft({ drafts: [20, 90], waiting: 4 }, 2, 100)).toBe(280);
  expect(stepsLeft({ drafts: [], waiting: 3 }, 2, 100)).toBe(200);
  // It is longer than expected already, and ends any moment.
  expect(stepsLeft({ drafts: [150], waiting: 0 }, 2, 100)).toBe(1);
});

it('tells of samples while they are written, once a second, and with each that ends', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  const config = readRunConfig(join(workspace, 'run.yaml'));
  const events: RunEvent[] = [];
  const decoder: Decoder = {
    batch: 2,
    maxTokens: 97,
    clear: () => undefined,
    prefill: () => Promise.resolve(),
    run: (_last, steps) => {
      // The first run makes the session and reads the weights from the disk.
      pass(events.length === 0 && runs++ === 0 ? 30 : 0.25);
      return Promise.resolve({
        steps,
        tokens: new Int32Array(steps * 2).fill(5),
        logprobs: new Float32Array(steps * 2),
        entropies: new Float32Array(steps * 2),
      });
    },
    release: () => undefined,
  };
  let runs = 0;
  await writeSamples({
    model: openModel(config.model),
    weights: new Map(),
    decoders: { open: () => Promise.resolve(decoder), release: () => Promise.resolve() },
    seed: 1,
    settings: { ...config.generation, maxLength: 80 },
    signal: new AbortController().signal,
    count: 4,
    done: new Set(),
    onSample: () => undefined,
    onEvent: (event) => events.push(event),
  });
  const told = eventsOf(events, 'sample_progress');
  // 5 runs of 16 steps for each pair of samples.
  expect(told.map(({ samples, tokens }) => [samples, tokens])).toEqual([
    [0, 32],
    [0, 160],
    [1, 160],
    [2, 160],
    [2, 288],
    [3, 320],
    [4, 320],
  ]);
  expect(told[0]).toMatchObject({ tokensPerSecond: null, secondsLeft: null });
  // 64 steps of the decoder took a second; the next pair takes 80.
  expect(told[1]).toMatchObject({ tokensPerSecond: 128, secondsLeft: 1.25 });
  expect(told.at(-1)).toMatchObject({ secondsLeft: 0 });
});
