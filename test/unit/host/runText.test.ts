/** A run in words, and which runs are offered for resuming. */
import { expect, test } from 'vitest';
import {
  describeRun,
  phaseText,
  progressText,
  runFacts,
  runsToOffer,
  speakRun,
} from '../../../src/host/runText.js';
import type { RunInfo } from '../../../src/protocol/runInfo.js';

function info(fields: Partial<RunInfo> = {}): RunInfo {
  return {
    id: 'a',
    folder: '/runs/a',
    state: 'running',
    name: 'tickets',
    method: 'cfs',
    datasets: ['/data/tickets.jsonl'],
    created: '2026-11-22T19:10:38.000Z',
    phase: 'training',
    progress: 40,
    total: 113,
    step: 40,
    tokensPerSecond: 1234.5,
    secondsLeft: 118,
    secondsWorked: 65,
    samples: 200,
    checkpoints: [],
    hasReport: false,
    hasModel: false,
    trained: true,
    ...fields,
  };
}

test.each([
  [{}, 'step 40 of 113, 2 min left'],
  [{ secondsLeft: 11.2 }, 'step 40 of 113, 12 s left'],
  [{ secondsLeft: 7800 }, 'step 40 of 113, 2 h 10 min left'],
  [{ secondsLeft: null }, 'step 40 of 113, estimating…'],
  [{ secondsLeft: null, starting: true }, 'step 40 of 113, starting…'],
  [
    { phase: 'generating', progress: 3, total: 20, secondsLeft: null },
    'sample 3 of 20, estimating…',
  ],
  [{ phase: 'evaluating', progress: 1, total: 5, secondsLeft: null }, 'scoring 1 of 5'],
  [{ phase: 'saving', progress: 0, total: 1 }, 'saving the model'],
  [{ phase: 'loading', total: 0 }, 'loading the model'],
  [{ phase: 'starting', total: 0 }, 'reading the weights'],
  [{ phase: undefined }, 'starting'],
] as [Partial<RunInfo>, string][])('%o is at “%s”', (fields, text) => {
  expect(progressText(info(fields))).toBe(text);
});

test('a notification says the phase and its share', () => {
  expect(phaseText(info())).toBe('Training: step 40 of 113 (35 %), 2 min left');
  expect(phaseText(info({ phase: 'loading', total: 0 }))).toBe('Loading the model…');
  expect(phaseText(info({ phase: undefined }))).toBe('Starting…');
});

test('the tree says method, dataset and how far it is', () => {
  expect(describeRun(info())).toBe('CFS · tickets.jsonl · step 40 of 113, 2 min left');
  const stopped = info({ state: 'stopped', datasets: ['/a.csv', '/b.csv'] });
  expect(describeRun(stopped)).toBe('CFS · a.csv and 1 more · stopped at step 40');
  const problem = { code: 'CONFIG_INVALID', message: 'No.', remedy: 'Mend it.', place: {} };
  expect(describeRun(info({ state: 'failed', problem }))).toBe('CFS · tickets.jsonl · failed');
  const broken = info({ state: 'finished', method: undefined, datasets: [], problem });
  expect(describeRun(broken)).toBe('run.yaml has a mistake');
  const killed = { ...problem, code: 'PROCESS_KILLED' };
  expect(describeRun(info({ state: 'interrupted', problem: killed }))).toBe(
    'CFS · tickets.jsonl · killed at step 40',
  );
  const closed = { ...problem, code: 'READ_FAILED' };
  expect(describeRun({ ...broken, problem: closed })).toBe('cannot be read');
  const damage = { ...problem, code: 'RECORD_BROKEN' };
  expect(describeRun(info({ state: 'stopped', problem: damage }))).toBe(
    'CFS · tickets.jsonl · damaged',
  );
  expect(speakRun(info({ state: 'finished' }))).toBe(
    'tickets, Finished, CFS, tickets.jsonl, 40 steps',
  );
});

test('the tooltip holds what is known and no empty line', () => {
  const place = { file: '/runs/a/events.jsonl', line: 7 };
  const problem = { code: 'X', message: 'It broke.', remedy: 'Mend it.', place };
  const facts = Object.fromEntries(runFacts(info({ state: 'failed', problem })));
  expect(facts).toMatchObject({
    State: 'failed',
    Problem: 'It broke. (/runs/a/events.jsonl:7) Mend it.',
    Speed: '1,235 tokens/s',
    Time: '1 min 5 s',
  });
  expect(facts).not.toHaveProperty('Checkpoints');
});

test('what was lost with the window is offered in its order, before what is older', () => {
  const runs = [
    info({ id: 'new', state: 'interrupted' }),
    info({ id: 'waited', state: 'interrupted' }),
    info({ id: 'ran', state: 'stopped' }),
    info({ id: 'done', state: 'finished' }),
  ];
  const ids = (lost: string[], offered: string[] = []): string[] =>
    runsToOffer(runs, lost, new Set(offered)).map(({ id }) => id);
  expect(ids(['ran', 'waited', 'done', 'deleted'])).toEqual(['ran', 'waited']);
  expect(ids([])).toEqual(['new']);
  expect(ids([], ['new'])).toEqual(['waited']);
  expect(ids(['ran'], ['new', 'waited', 'ran'])).toEqual([]);
});

test('nothing is offered while an engine still writes its last checkpoint', () => {
  const runs = [info({ id: 'ran', state: 'running' }), info({ id: 'old', state: 'interrupted' })];
  expect(runsToOffer(runs, ['ran'], new Set())).toEqual([]);
});
