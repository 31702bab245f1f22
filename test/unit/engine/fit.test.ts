/** Whether a run fits into made-up rooms, what would, and what is free in a container. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { containerMemory } from '../../../src/engine/estimate/cgroup.js';
import {
  adviseOn,
  judgeFit,
  memoryProblem,
  type Advice,
} from '../../../src/engine/estimate/fit.js';
import { runConfigSchema, type RunConfig } from '../../../src/runs/configSchema.js';
import { temporaryFolder } from '../../support/tinyModel.js';

const config = runConfigSchema.parse({
  ...{ model: '/m', dataset: '/d.jsonl' },
  generation: { batchSize: 32 },
  training: { maxTokensPerMicroBatch: 2048 },
});
const disk = { needed: 1, available: 100 };
const advice: Advice = { text: 'take less', field: 'model' };
const room = (needed: number, available: number | undefined = 1000) => ({
  ...{ needed, available, moment: 'training' as const },
});

describe('the verdict', () => {
  const fitOf = (needed: number, provider: 'cpu' | 'webgpu' = 'cpu') =>
    judgeFit(provider, { memory: room(needed), device: undefined, disk }, () => advice);

  it('is by the share of what there is, with advice where it is not enough', () => {
    expect([800, 801, 1000, 1001].map((needed) => fitOf(needed).verdict)).toEqual([
      ...['fits', 'tight', 'tight', 'too-large'],
    ]);
    expect(fitOf(800).reason).not.toContain('take less');
    expect(fitOf(1001).reason).toContain(': take less, or close other programs.');
  });

  it('says where it was not measured, and when the disk is too small', () => {
    expect(fitOf(100, 'webgpu').reason).toContain('webgpu was not measured');
    const full = { needed: 200, available: 100 };
    const rooms = { memory: room(1), device: undefined, disk: full };
    const { verdict, reason } = judgeFit('cpu', rooms, () => advice);
    expect([verdict, reason]).toEqual(['too-large', expect.stringContaining('disk')]);
  });

  it('asks for GPU memory where a GPU keeps the weights, and says where it is not known', () => {
    const fit = (available: number | undefined) => {
      const device = { needed: 900, available, moment: 'training' as const };
      return judgeFit('webgpu', { memory: room(1), device, disk }, () => advice);
    };
    expect(fit(800).verdict).toBe('too-large');
    expect(fit(800).reason).toContain('GPU memory');
    expect(fit(1000).verdict).toBe('tight');
    expect(fit(undefined).verdict).toBe('fits');
    expect(fit(undefined).reason).toContain('could not be determined');
  });

  it('refuses a run that needs more than there is, never one that is tight', () => {
    const problem = (needed: number) =>
      memoryProblem({ memory: room(needed), device: undefined }, () => advice);
    expect(problem(1000)).toBeUndefined();
    expect(problem(1001)).toMatchObject({
      ...{ code: 'MEMORY_SHORT', remedy: 'Take less, or close other programs.' },
      place: { field: 'model' },
    });
    expect(problem(1001)?.message).toContain('while it trains');
    const device = { ...room(2), available: 1, moment: 'sampling' as const };
    const message = memoryProblem({ memory: room(1), device }, () => advice)?.message;
    expect(message).toContain('GPU memory, while it writes samples');
  });
});

describe('advice', () => {
  const smaller = { batch: [16, 8, 4], tokens: [1024, 512] };
  /** Of a machine on which each row and each token at once takes so much. */
  const adviceFor = (perRow: number, perToken: number, rest = 0) =>
    adviseOn(config, 6e8, smaller, ({ generation, training }: RunConfig) => ({
      sampling: rest + perRow * generation.batchSize,
      training: rest + perToken * training.maxTokensPerMicroBatch,
    }));

  it('is the largest of the smaller settings that fit, for the moment that does not', () => {
    expect(adviceFor(0, 0.6 / 1024)).toEqual({
      text: 'set “Tokens per micro-batch” (training.maxTokensPerMicroBatch) to 1024',
      field: 'training.maxTokensPerMicroBatch',
    });
    expect(adviceFor(0.09, 0)).toEqual({
      text: 'set “Batch size” (generation.batchSize) to 8',
      field: 'generation.batchSize',
    });
    expect(adviceFor(0.09, 0.6 / 512).text).toMatch(/batchSize\) to 8 and .* to 512$/);
  });

  it('is a tight fit rather than none, then a smaller model', () => {
    expect(adviceFor(0, 0.9 / 512).text).toContain('to 512');
    expect(adviceFor(0, 2 / 512)).toEqual({
      text: 'choose a smaller base model of about 240 million weights or shorter rows',
      field: 'model',
    });
    expect(adviceFor(0, 0, 1.5).field).toBe('model');
  });
});

describe('a container', () => {
  const giga = 2 ** 30;
  function rootWith(files: Record<string, string>): string {
    const root = temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return root;
  }
  const second = (folder: string, limit: string, used: number, files = 0) => ({
    [`${folder}/memory.max`]: `${limit}\n`,
    [`${folder}/memory.current`]: `${used}\n`,
    [`${folder}/memory.stat`]: `anon 5\ninactive_file ${files}\nactive_file ${files}\n`,
  });

  it('leaves its limit without what is used, but for the pages of files', () => {
    const of = { 'proc/self/cgroup': '0::/\n' };
    const limited = second('sys/fs/cgroup', `${4 * giga}`, 3 * giga, giga / 2);
    expect(containerMemory(rootWith({ ...of, ...limited }))).toBe(2 * giga);
    const open = second('sys/fs/cgroup', 'max', giga);
    expect(containerMemory(rootWith({ ...of, ...open }))).toBeUndefined();
    expect(containerMemory(temporaryFolder())).toBeUndefined();
  });

  it('counts the tightest of all limits above a process', () => {
    const root = rootWith({
      'proc/self/cgroup': '0::/user/job\n',
      ...second('sys/fs/cgroup/user/job', `${8 * giga}`, giga),
      ...second('sys/fs/cgroup/user', `${4 * giga}`, 3 * giga),
    });
    expect(containerMemory(root)).toBe(giga);
  });

  it('is read in the first version too, also where its own path is not to be seen', () => {
    const folder = 'sys/fs/cgroup/memory';
    const limitOf = (limit: number) =>
      containerMemory(
        rootWith({
          'proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n',
          [`${folder}/memory.limit_in_bytes`]: `${limit}\n`,
          [`${folder}/memory.usage_in_bytes`]: `${giga}\n`,
          [`${folder}/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${giga / 4}\n`,
        }),
      );
    expect(limitOf(2 * giga)).toBe(1.25 * giga);
    expect(limitOf(2 ** 63 - 4096)).toBeUndefined();
  });
});
