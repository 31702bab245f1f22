import { describe, expect, it } from 'vitest';
import {
  learn,
  runsWithSamples,
  selectRun,
  settledReason,
  type SampleFacts,
} from '../../../../src/host/pages/inspectorState.js';
import type { RunEvent } from '../../../../src/protocol/records.js';
import { madeUpInfo } from '../madeUpInfo.js';

const time = '2026-01-02T00:00:00.000Z';

describe('the run that is selected', () => {
  const runs = [
    madeUpInfo('newest', { samples: 0, state: 'queued' }),
    madeUpInfo('running', { samples: 3, state: 'running' }),
    madeUpInfo('older', { samples: 9 }),
    madeUpInfo('oldest', { samples: 9 }),
  ];

  it('is the one chosen, as long as it exists', () => {
    expect(selectRun(runs, { chosen: 'oldest', before: 'older' })).toBe('oldest');
    expect(selectRun(runs, { chosen: 'deleted' })).toBe('running');
  });

  it('is else the running one, the one before, the newest with samples, the newest', () => {
    const idle = runs.filter(({ id }) => id !== 'running');
    expect(selectRun(runs, { before: 'oldest' })).toBe('running');
    expect(selectRun(idle, { before: 'oldest' })).toBe('oldest');
    expect(selectRun(idle, {})).toBe('older');
    expect(selectRun(runs.slice(0, 1), {})).toBe('newest');
    expect(selectRun([], { chosen: 'deleted' })).toBeUndefined();
  });
});

it('lists runs that have samples or will have', () => {
  const runs = [
    madeUpInfo('waiting', { method: 'cfs', state: 'queued' }),
    madeUpInfo('standard', { method: 'sft', state: 'running' }),
    madeUpInfo('done', { method: 'cfs', samples: 4 }),
    madeUpInfo('without', { method: 'cfs' }),
    madeUpInfo('unreadable', { samples: 4 }),
  ];
  expect(runsWithSamples(runs).map(({ id }) => id)).toEqual(['waiting', 'done']);
});

describe('what events say of the samples', () => {
  const events: RunEvent[] = [
    { type: 'bos_found', time, id: 0, token: '<s>', reason: 'config.json' },
    { type: 'samples_judged', time, coherent: false, reason: 'Broken.', betterTokenId: 7 },
    { type: 'run_stopped', time, step: 0 },
    { type: 'bos_found', time, id: 7, token: '<bos>', reason: 'given' },
  ];

  it('is the last of each kind', () => {
    expect(events.reduce(learn, {})).toEqual({
      bos: { id: 7, token: '<bos>', reason: 'given' },
      verdict: { coherent: false, reason: 'Broken.', betterTokenId: 7 },
    });
  });

  it('is the same object where an event says nothing', () => {
    const facts: SampleFacts = {};
    expect(learn(facts, { type: 'run_stopped', time, step: 0 })).toBe(facts);
  });

  it('settles the exclusions once training has started', () => {
    const run = madeUpInfo('a', { trained: false });
    expect(settledReason(run, {})).toBeUndefined();
    expect(settledReason({ ...run, trained: true }, {})).toMatch(
      /Training on these samples has already started/,
    );
    const told = learn({}, { type: 'samples_chosen', time, excluded: [3] });
    expect(told.leftOut).toEqual([3]);
    expect(settledReason(run, told)).toMatch(/Training on these samples has already started/);
  });
});
