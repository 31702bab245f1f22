/** What a GPU check writes down: at once, whatever ends it, and never a wrong number as a right one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClock, runChild } from '../../../scripts/gpu/children.js';
import { createKeeper } from '../../../scripts/gpu/keeper.js';
import { compare, createWriter } from '../../../scripts/gpu/measureAll.js';
import { recordSchema, type CheckRecord, type Event } from '../../../scripts/gpu/record.js';
import { notesOf, tableOf } from '../../../scripts/gpu/reportTable.js';
import { createPlacementReader } from '../../../scripts/gpu/stages.js';
import { temporaryFolder } from '../../support/tinyModel.js';

const noMemory = { reset: () => undefined, peakBytes: () => 3 * 2 ** 30, stop: () => undefined };

function open() {
  const folder = temporaryFolder();
  const record: CheckRecord = {
    ...{ format: 1, began: '2026-01-02T03:04:05Z', seconds: 0, limitSeconds: 60, finished: false },
    ...{ machine: { GPU: 'one' }, checks: [], placements: [], measurements: [] },
  };
  const keeper = createKeeper(folder, createClock(Date.now(), 60), record, () => undefined);
  const onDisk = (): CheckRecord =>
    recordSchema.parse(JSON.parse(readFileSync(join(folder, 'gpu.json'), 'utf8')));
  return { keeper, onDisk };
}

const pass = (seconds: number, loss: number | null): Event => ({
  ...{ event: 'pass', tokens: 100, seconds, loss, norm: loss && 2 * loss },
});

function training(losses: readonly (number | null)[]): Event[] {
  return [
    { event: 'begin', shape: '15M', kind: 'train' },
    { event: 'opened', seconds: 1, parameters: 7 },
    ...losses.map((loss, i) => pass(i === 0 ? 9 : i, loss)),
    { event: 'end', hostBytes: 5 },
  ];
}

describe('the record of a GPU check', () => {
  it('holds what a child told before it was killed', () => {
    const { keeper, onDisk } = open();
    const writer = createWriter({ keeper }, 'webgpu', noMemory);
    training([4, 3, 2]).slice(0, 4).forEach(writer.read);
    const [measured] = onDisk().measurements;
    expect(measured).toMatchObject({
      state: 'stopped',
      firstSeconds: 9,
      seconds: [1],
      losses: [4, 3],
    });
    const ended = { state: 'stopped', seconds: 8, tail: '', about: 'stopped after 8 s' } as const;
    writer.close(['train'], ['15M'], ended);
    expect(onDisk().measurements).toHaveLength(1);
    expect(onDisk().measurements[0]).toMatchObject({
      state: 'stopped',
      about: 'stopped after 8 s',
    });
  });

  it('names a kind that was never begun', () => {
    const { keeper, onDisk } = open();
    const writer = createWriter({ keeper }, 'cpu', noMemory);
    const ended = { state: 'failed', seconds: 1, tail: '', about: 'ended by SIGSEGV' } as const;
    writer.close(['score', 'sample'], ['350M'], ended);
    expect(onDisk().measurements).toMatchObject([
      { kind: 'score', state: 'failed', about: 'ended by SIGSEGV' },
      { kind: 'sample', state: 'failed', about: 'ended by SIGSEGV' },
    ]);
  });

  it.each([
    { other: [4, 3, 2.0001], state: 'passed' },
    { other: [4, 3, 2.1], state: 'failed' },
    { other: [4, null, 2], state: 'failed' },
  ])('compares losses and norms of the sides: $other', ({ other, state }) => {
    const { keeper } = open();
    training([4, 3, 2]).forEach(createWriter({ keeper }, 'webgpu', noMemory).read);
    training(other).forEach(createWriter({ keeper }, 'torch', noMemory).read);
    compare({ keeper });
    expect(keeper.record.checks).toMatchObject([
      { name: '15M, train: WebGPU beside torch', state },
    ]);
  });

  it('becomes a table with ratios, and notes of what is missing', () => {
    const { keeper, onDisk } = open();
    training([4, 3, 2]).forEach(createWriter({ keeper }, 'webgpu', noMemory).read);
    const cpu = createWriter({ keeper }, 'cpu', noMemory);
    cpu.add('15M', 'train', 'skipped', 'no time was left');
    training([4, 3, 2]).forEach(createWriter({ keeper }, 'torch', noMemory).read);
    keeper.record.placements = [{ graph: 'sampling', nodes: 207, onCpu: { Loop: 1 } }];
    keeper.save();
    const [head, ...lines] = tableOf(onDisk());
    expect(lines).toEqual([
      [
        ...['15M', 'training step', '75 (50–100)', 'skipped', '–', '75 (50–100)', '1.00 ×'],
        ...['3.00 GiB', '3.00 GiB'],
      ],
    ]);
    expect(head).toHaveLength(9);
    const notes = notesOf(onDisk()).join('\n');
    expect(notes).toContain('sampling (1 Loop; of 207 nodes)');
    expect(notes).toContain('15M, training step, cpu: skipped, no time was left');
    expect(notes).toContain('did not come to its end');
  });
});

describe('a child process of the GPU check', () => {
  const run = (program: string, limitSeconds: number) => {
    const told: string[] = [];
    const ended = runChild(process.execPath, ['-e', program], {
      environment: process.env,
      limitSeconds,
      log: () => undefined,
      onEvent: ({ event }) => told.push(event),
    });
    return ended.then((how) => ({ ...how, told }));
  };

  it('is stopped at its limit, and what it told counts', async () => {
    const made = `console.log('@@{"event":"made","shape":"15M"}'); setInterval(() => {}, 1000)`;
    expect(await run(made, 2)).toMatchObject({ state: 'stopped', told: ['made'] });
  });

  it('fails with what it said last', async () => {
    const { state, tail, told } = await run('console.log("@@{}"); throw new Error("broken")', 20);
    expect({ state, told }).toEqual({ state: 'failed', told: [] });
    expect(tail).toContain('broken');
  });
});

it('reads from ONNX Runtime’s log which nodes fell back', () => {
  const { placements, read } = createPlacementReader();
  const log = (text: string): string =>
    `2026-01-02 03:04:05.6 [V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp] ${text}`;
  [
    'graph: sampling',
    log(' Node(s) placed on [CPUExecutionProvider]. Number of nodes: 3'),
    log('  Reshape (Reshape_5)'),
    log('  Loop (Loop_6)'),
    log('  Reshape (step_Reshape_0)'),
    log(' Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 2'),
    log('  Cast (Cast_1)'),
    'graph: optimizer',
    log(' All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 1'),
    log(' All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 15'),
  ].forEach(read);
  expect(placements).toEqual([
    { graph: 'sampling', nodes: 5, onCpu: { Reshape: 2, Loop: 1 } },
    { graph: 'copies', nodes: 1, onCpu: {} },
    { graph: 'optimizer', nodes: 15, onCpu: {} },
  ]);
});
