/** What the benchmarks compute with and how they start our side, on a tiny model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeRandomModel, type LlamaShape } from '../../../bench/shapes.js';
import { alternate } from '../../../bench/support/alternate.js';
import { contest, timedSteps, type Contestant } from '../../../bench/support/contest.js';
import { runFresh } from '../../../bench/support/fresh.js';
import { startOurs } from '../../../bench/support/ours.js';
import { rateOf, relativeError, spreadOf } from '../../../bench/support/statistics.js';
import { measureNode } from '../../../bench/support/usage.js';

const folder = mkdtempSync(join(tmpdir(), 'cfs-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('statistics', () => {
  it('takes the middle, and the mean of the middle two', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
    expect(spreadOf([4, 1, 2, 3]).median).toBe(2.5);
    expect(spreadOf([7])).toEqual({ median: 7, low: 7, high: 7 });
  });

  it('gives speeds with the fastest as the highest', () => {
    expect(rateOf(100, [2, 4])).toEqual({ median: 37.5, low: 25, high: 50 });
  });

  it('never lets NaN pass as agreement', () => {
    expect(relativeError(1.5, 1)).toBe(0.5);
    expect(relativeError(NaN, 1)).toBe(Infinity);
    expect(relativeError(1, NaN)).toBe(Infinity);
  });
});

describe('taking turns', () => {
  it('turns the order around every round', async () => {
    const order: string[] = [];
    const measure = (name: string) => (round: number) => {
      order.push(`${name}${round}`);
      return Promise.resolve();
    };
    await alternate(3, [measure('a'), measure('b')]);
    expect(order).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
  });
});

describe('what a command has used', () => {
  it('is of all processes that it starts', async () => {
    const child = 'process.stdout.write("child\\n")';
    const program = `
      const { spawnSync } = require('node:child_process');
      console.log('begun');
      spawnSync(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' });`;
    const lines: string[] = [];
    const usage = await measureNode(['-e', program], {}, (line) => lines.push(line));
    expect(lines).toEqual(['begun', 'child']);
    expect(usage.processes).toBe(2);
    expect(usage.peakBytes).toBeGreaterThan(2 * 2 ** 20);
    expect(usage.minorFaults).toBeGreaterThan(0);
    expect(usage.userSeconds).toBeGreaterThan(0);
  });

  it('is not told of one that failed', async () => {
    const program = 'console.error("out of luck"); process.exit(3)';
    await expect(measureNode(['-e', program], {}, () => undefined)).rejects.toThrow(
      'the command ended (exit code 3)\nout of luck',
    );
  });
});

describe('a process measured from its start', () => {
  const mark = (name: string): string =>
    JSON.stringify({
      ...{ mark: name, peakBytes: 1, minorFaults: 2, majorFaults: 0, result: 3 },
      ...{ userSeconds: 0.5, systemSeconds: 0.5 },
    });
  const command = (program: string) => [process.execPath, '-e', program] as const;
  const tell = (name: string): string => `console.log(${JSON.stringify(mark(name))});`;

  it('tells when it had its weights and when it was done', async () => {
    const { loaded, done } = await runFresh(
      'Peer',
      [...command(`${tell('loaded')} setTimeout(() => { ${tell('done')} }, 50)`)],
      {},
    );
    expect(done.result).toBe(3);
    expect(loaded.seconds).toBeGreaterThan(0);
    expect(done.seconds).toBeGreaterThan(loaded.seconds);
  });

  it('must come to its end', async () => {
    await expect(runFresh('Peer', [...command(tell('loaded'))], {})).rejects.toThrow('Peer ended');
    const failing = `console.log('what is wrong'); process.exit(2)`;
    await expect(runFresh('Peer', [...command(failing)], {})).rejects.toThrow(
      'Peer ended (exit code 2)\nwhat is wrong',
    );
  });
});

describe('a contest', () => {
  const contestant = (name: string, bytes: number, log: string[]): Contestant => ({
    ...{ name, allocator: 'plain', expectedBytes: bytes, expectedSeconds: 1 },
    start: () => {
      log.push(`start ${name}`);
      let steps = 0;
      return Promise.resolve({
        step: () => Promise.resolve({ loss: ++steps, seconds: 1, optimizer: 0.1 }),
        peakBytes: () => Promise.resolve(bytes),
        stop: () => {
          log.push(`stop ${name}`);
          return Promise.resolve();
        },
      });
    },
  });
  const run = async (bytes: number) => {
    const log: string[] = [];
    const contestants = [contestant('a', bytes, log), contestant('b', bytes, log)];
    const standings = await contest(contestants, 2, () => Promise.resolve());
    return { log, standings };
  };

  it('keeps all open where they fit', async () => {
    const { log, standings } = await run(1);
    expect(log).toEqual(['start a', 'start b', 'stop a', 'stop b']);
    expect(standings[0]?.turns.map((turn) => turn.length)).toEqual([3]);
    expect(standings.map((standing) => timedSteps(standing).length)).toEqual([2, 2]);
  });

  it('opens one after the other where they do not', async () => {
    const { log, standings } = await run(2 ** 50);
    const alone = (name: string): string[] => [`start ${name}`, `stop ${name}`];
    expect(log).toEqual([...alone('a'), ...alone('b'), ...alone('b'), ...alone('a')]);
    expect(standings[1]?.turns.map((turn) => turn.length)).toEqual([2, 2]);
    expect(standings.map((standing) => timedSteps(standing).length)).toEqual([2, 2]);
    expect(standings[0]?.peakBytes).toBe(2 ** 50);
  });
});

describe('our side in a process of its own', () => {
  const shape: LlamaShape = {
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 40,
    tie_word_embeddings: true,
  };

  it('trains and samples, and answers what it cannot do with the reason', async () => {
    writeRandomModel(folder, shape, 1);
    const ours = await startOurs();
    try {
      const rows = [{ ids: [1, 5, 6, 7, 8, 9, 10, 11], supervised: [0, 1, 1, 1, 1, 1, 1, 1] }];
      await expect(ours.request('step', { rows, learningRate: 0.01 })).rejects.toThrow('trainer');
      await ours.request('trainer', {
        folder,
        threads: 1,
        time: 8,
        maxTokens: 8,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
        decayVectors: false,
        clip: 1,
      });
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) {
        const step = await ours.request('step', { rows, learningRate: 0.01 });
        expect(step.optimizer).toBeLessThan(step.seconds);
        losses.push(step.loss);
      }
      // Random weights know nothing; five steps on one row teach it some of it.
      expect(losses[0]).toBeCloseTo(Math.log(shape.vocab_size), 1);
      expect(losses[4]).toBeLessThan(Math.log(shape.vocab_size) - 0.1);

      const decoder = { folder, threads: 1, bos: 1, batch: 3, tokens: 20 };
      await ours.request('decoder', { ...decoder, sampling: 'whole' });
      const { tokens } = await ours.request('generate', { seed: 1 });
      expect(tokens.map((row) => row.length)).toEqual([20, 20, 20]);
      expect(new Set(tokens.map((row) => row.join())).size).toBe(3);

      const { peakBytes, baselineBytes } = await ours.request('memory', {});
      expect(peakBytes).toBeGreaterThan(baselineBytes);
    } finally {
      await ours.stop();
    }
  });
});
