import { describe, expect, it } from 'vitest';
import {
  downstreamPoints,
  runCurves,
  taskKey,
  taskPoints,
} from '../../../src/protocol/curveData.js';
import { metricNames, metricUnits, unitName, unitOf } from '../../../src/protocol/metrics.js';
import type { RunEventOf, TaskScore } from '../../../src/protocol/records.js';
import { runLabels } from '../../../src/protocol/runWords.js';
import { runInfo } from '../../support/runInfo.js';

const facts = { task: 'facts', metric: 'acc', higherIsBetter: true, stderr: 0.1, n: 40 };

function scored(
  step: number,
  kind: 'subset' | 'full',
  score: Partial<TaskScore>,
): RunEventOf<'evaluation'> {
  const task = { ...facts, score: null, ...score };
  return {
    type: 'evaluation',
    time: '2026-01-02T00:00:00.000Z',
    step,
    kind,
    tasks: [task],
    downstream: task,
    kl: { mean: step / 10, stderr: 0.5, samples: 32 },
  };
}

describe('runCurves', () => {
  it('begins at what the base model scored on the same items', () => {
    const curves = runCurves([
      scored(0, 'full', { score: 0.9, n: 180 }),
      scored(25, 'subset', { score: 0.75, change: -0.25 }),
      scored(50, 'subset', { score: 0.5, change: -0.5 }),
      scored(60, 'full', { score: 0.6, n: 180 }),
    ]);
    const expected = [
      { step: 0, score: 1, stderr: null, n: 40, change: 0 },
      { step: 25, score: 0.75, stderr: 0.1, n: 40, change: -0.25 },
      { step: 50, score: 0.5, stderr: 0.1, n: 40, change: -0.5 },
    ];
    expect(taskPoints(curves, taskKey(facts))).toEqual(expected);
    expect(downstreamPoints(curves)).toEqual(expected);
  });

  it('invents no base where no change is known', () => {
    const curves = runCurves([scored(25, 'subset', { score: 0.75 })]);
    expect(taskPoints(curves, taskKey(facts)).map(({ step }) => step)).toEqual([25]);
  });

  it('keeps the drift of every evaluation', () => {
    const curves = runCurves([scored(0, 'full', {}), scored(25, 'subset', {})]);
    expect(curves.kl.map(({ step, mean }) => [step, mean])).toEqual([
      [0, 0],
      [25, 2.5],
    ]);
  });
});

describe('unitOf', () => {
  it('knows the unit of every metric, and the unit a name', () => {
    expect(unitOf('acc')).toBe('fraction');
    expect(unitOf('bits_per_byte')).toBe('bits');
    for (const name of metricNames) expect(metricUnits).toContain(unitOf(name));
    expect(metricUnits.map(unitName)).not.toContain('nats');
  });

  it('takes a metric it does not know for a unit of its own', () => {
    expect(unitOf('bleu')).toBe('bleu');
    expect(unitOf('constructor')).toBe('constructor');
  });
});

describe('runLabels', () => {
  it('tells runs of one name apart, by time and if need be by id', () => {
    const at = (id: string, name: string, minute: number) =>
      runInfo({ id, name, created: `2026-01-02T10:0${minute}:00.000Z` });
    const labels = runLabels([
      at('a', 'poems', 1),
      at('b', 'poems', 2),
      at('c', 'poems', 2),
      at('d', 'other', 1),
    ]);
    expect(labels.get('a')).toMatch(/^poems \(2 Jan \d\d:01\)$/);
    expect(labels.get('b')).toBe('poems (b)');
    expect(labels.get('c')).toBe('poems (c)');
    expect(labels.get('d')).toBe('other');
  });
});
