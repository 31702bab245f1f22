import { describe, expect, it } from 'vitest';
import type { RunIdentity } from '../../../src/protocol/identity.js';
import type { ItemRecord } from '../../../src/protocol/records.js';
import { compareItems, compareRuns } from '../../../src/runs/compare.js';
import { madeUpInfo } from '../host/madeUpInfo.js';
import { madeUpConfig, madeUpResults } from './madeUpRun.js';

function item(id: string, base: boolean, final: boolean, task = 'facts'): ItemRecord {
  return {
    task,
    metric: 'acc',
    id,
    prompt: `What is ${id}?`,
    expected: id,
    base: { correct: base, answer: `base ${id}` },
    final: { correct: final, answer: `final ${id}` },
  };
}

describe('compareRuns', () => {
  it('lists only the settings that differ, paths relative to the workspace', () => {
    const sft = madeUpConfig('sft', 'a');
    const cfs = {
      ...madeUpConfig('cfs', 'b'),
      model: '/somewhere/other',
      dataset: [{ path: '/elsewhere/poems.jsonl', list: 'rows' }],
    };
    const { settings, runs } = compareRuns(
      [
        { info: madeUpInfo('a'), config: sft, results: madeUpResults('sft') },
        { info: madeUpInfo('b'), config: cfs },
      ],
      '/somewhere',
    );
    expect(settings).toEqual([
      { field: 'model', values: ['base', 'other'] },
      { field: 'dataset', values: ['poems.jsonl', '/elsewhere/poems.jsonl {"list":"rows"}'] },
      { field: 'method', values: ['sft', 'cfs'] },
    ]);
    expect(runs.map(({ results }) => results !== undefined)).toEqual([true, false]);
  });

  it('compares files by content, not by where they are', () => {
    const config = madeUpConfig();
    const moved = { ...config, model: '/elsewhere/base' };
    const identity = (rows: string, tasks: string[]): RunIdentity => ({
      format: 1,
      settings: {},
      groups: [
        { group: 'model', inputs: [{ name: 'model.safetensors', hash: 'a'.repeat(64) }] },
        {
          group: 'dataset',
          inputs: [{ name: 'dataset', hash: rows.repeat(64), size: '40 rows' }],
        },
        { group: 'tasks', inputs: tasks.map((name) => ({ name, hash: 'c'.repeat(64) })) },
        { group: 'base scores', inputs: [{ name: 'base scores', hash: rows.repeat(64) }] },
      ],
    });
    const { settings } = compareRuns(
      [
        { info: madeUpInfo('a'), config, identity: identity('a', ['facts.yaml']) },
        { info: madeUpInfo('b'), config: moved, identity: identity('b', ['facts.yaml', 'x']) },
      ],
      '/somewhere',
    );
    expect(settings).toEqual([
      {
        field: 'dataset (content)',
        values: ['40 rows (SHA-256 aaaaaaaa…)', '40 rows (SHA-256 bbbbbbbb…)'],
      },
      {
        field: 'tasks (content)',
        values: ['SHA-256 cccccccc…', expect.stringMatching(/^2 files \(SHA-256 \w{8}…\)$/)],
      },
    ]);
  });

  it('marks what a run has no value for', () => {
    const plain = madeUpConfig();
    const limited = { ...plain, generation: { ...plain.generation, topK: 50 } };
    const { settings } = compareRuns(
      [
        { info: madeUpInfo('a'), config: plain },
        { info: madeUpInfo('b'), config: limited },
        { info: madeUpInfo('c') },
      ],
      '/somewhere',
    );
    expect(settings).toContainEqual({ field: 'generation.topK', values: ['–', '50', '–'] });
    expect(settings).toContainEqual({ field: 'method', values: ['cfs', 'cfs', '–'] });
  });
});

describe('compareItems', () => {
  const a = [item('1', true, true), item('2', true, false), item('3', false, true)];
  const b = [item('3', false, false), item('2', true, true), item('4', true, false)];
  const ask = (change: 'right-to-wrong' | 'wrong-to-right') => ({
    task: 'facts',
    metric: 'acc',
    change,
  });

  it('joins two runs by the name of the item', () => {
    const from = { items: a, model: 'final' } as const;
    const to = { items: b, model: 'final' } as const;
    expect(compareItems(from, to, ask('right-to-wrong'))).toEqual([
      {
        task: 'facts',
        metric: 'acc',
        id: '3',
        prompt: 'What is 3?',
        expected: '3',
        from: { correct: true, answer: 'final 3' },
        to: { correct: false, answer: 'final 3' },
      },
    ]);
    expect(compareItems(from, to, ask('wrong-to-right')).map(({ id }) => id)).toEqual(['2']);
  });

  it('compares a run with its base model', () => {
    const found = compareItems(
      { items: a, model: 'base' },
      { items: a, model: 'final' },
      ask('right-to-wrong'),
    );
    expect(found.map(({ id, from, to }) => [id, from.answer, to.answer])).toEqual([
      ['2', 'base 2', 'final 2'],
    ]);
  });

  it('leaves out items of another task file of the same name', () => {
    const other = [
      { ...item('1', true, false), prompt: 'Who is 1?' },
      { ...item('2', false, true), expected: 'two' },
      item('3', true, false),
    ];
    const sides = [
      { items: a, model: 'base' },
      { items: other, model: 'final' },
    ] as const;
    expect(compareItems(...sides, ask('right-to-wrong'))).toEqual([]);
    expect(compareItems(...sides, ask('wrong-to-right'))).toEqual([]);
  });

  it('leaves other tasks out', () => {
    const other = [item('2', true, false, 'sorting')];
    const sides = [
      { items: other, model: 'base' },
      { items: other, model: 'final' },
    ] as const;
    expect(compareItems(...sides, ask('right-to-wrong'))).toEqual([]);
  });
});
