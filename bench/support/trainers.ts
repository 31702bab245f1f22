/** Those who train in `bench:train`: ours, and PyTorch in each of its modes. */
import { messageOf } from '../../src/errors.js';
import type { Skipped } from '../peers/lineProcess.js';
import type { PeerPython } from '../peers/python.js';
import {
  fastestChoice,
  startTorchTrainer,
  type TorchBatch,
  type TorchSettings,
} from '../peers/torchTrain.js';
import { allocators, type Allocator } from './allocators.js';
import { fastestAllocator, type Contestant, type Trainer } from './contest.js';
import { startOurs } from './ours.js';

const training = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, clip: 1 };
const learningRate = 1e-3;

/** What all of them train on, with how many threads. */
export interface Lesson {
  /** A model folder. */
  folder: string;
  batch: number;
  time: number;
  /** `[batch, time]`; every token but a row's first is a target. */
  ids: readonly number[];
  threads: number;
}

export function ours(lesson: Lesson): Promise<Contestant> {
  const { folder, batch, time, ids, threads } = lesson;
  const rows = Array.from({ length: batch }, (_, row) => ({
    ids: ids.slice(row * time, (row + 1) * time),
    supervised: Array.from({ length: time }, (_, i) => (i === 0 ? 0 : 1)),
  }));
  const settings = { folder, threads, time, maxTokens: batch * time, decayVectors: true };
  const start = async (allocator: Allocator) => {
    const worker = await startOurs(undefined, allocators[allocator]);
    await worker.request('trainer', { ...settings, ...training });
    return {
      step: () => worker.request('step', { rows, learningRate }),
      peakBytes: async () => (await worker.request('memory', {})).peakBytes,
      stop: () => worker.stop(),
    };
  };
  return fastestAllocator('ours', start, ['kept']);
}

export interface TorchContestant extends Contestant {
  /** Its fastest attention and optimizer. */
  settings: TorchSettings;
}

export async function torch(
  python: PeerPython,
  lesson: Lesson,
  precision: TorchSettings['precision'],
): Promise<TorchContestant> {
  const common = { ...torchSettings(lesson.folder), mode: 'eager' as const, precision };
  const choice = await fastestChoice(python, lesson.threads, common, lesson);
  const settings = { ...common, ...choice };
  const contestant = await fastestAllocator(precision, (allocator) =>
    startTorch(python, lesson, settings, allocator),
  );
  return { ...contestant, settings };
}

/** Tokens of the steps that show how slow a precision is. */
export const probeTokens = 16;

/** How many times as long as in float32 a step of `probeTokens` takes in bfloat16. */
export async function halfSlowdown(python: PeerPython, lesson: Lesson): Promise<number> {
  const few = { ...lesson, batch: 1, time: probeTokens, ids: lesson.ids.slice(0, probeTokens) };
  const common = { ...torchSettings(lesson.folder), mode: 'eager' as const };
  const secondsOf = async (precision: TorchSettings['precision']): Promise<number> => {
    const settings = { ...common, precision, attention: 'sdpa', optimizer: 'fused' } as const;
    const trainer = await startTorch(python, few, settings, 'plain');
    try {
      await trainer.step();
      return (await trainer.step()).seconds;
    } finally {
      await trainer.stop();
    }
  };
  const single = await secondsOf('float32');
  return (await secondsOf('bfloat16')) / single;
}

/** The same with `torch.compile`, which does not work everywhere. */
export async function compiled(
  python: PeerPython,
  lesson: Lesson,
  eager: TorchContestant,
): Promise<TorchContestant | Skipped> {
  const settings = { ...eager.settings, mode: 'compile' as const };
  const start = (): Promise<Trainer> => startTorch(python, lesson, settings, eager.allocator);
  let trainer: Trainer | undefined;
  try {
    trainer = await start();
    await trainer.step();
    const expectedBytes = await trainer.peakBytes();
    return { ...eager, name: 'compiled', expectedBytes, start, settings };
  } catch (error) {
    return { skipped: messageOf(error).split('\n').slice(0, 3).join(' ') };
  } finally {
    await trainer?.stop();
  }
}

function torchSettings(folder: string) {
  const { beta1, beta2, epsilon, weightDecay, clip } = training;
  const betas: [number, number] = [beta1, beta2];
  return { folder, lr: learningRate, betas, eps: epsilon, weightDecay, clip, seed: 1 };
}

async function startTorch(
  python: PeerPython,
  { batch, time, ids, threads }: Lesson,
  settings: TorchSettings,
  allocator: Allocator,
): Promise<Trainer> {
  const trainer = startTorchTrainer(python, threads, allocators[allocator]);
  const torchBatch: TorchBatch = { batch, time, ids };
  try {
    await trainer.load(settings);
  } catch (error) {
    await trainer.stop();
    throw error;
  }
  return {
    step: () => trainer.step(torchBatch),
    peakBytes: async () => (await trainer.memory()).peakBytes,
    stop: () => trainer.stop(),
  };
}
