/** What a terminal says while a job starts, and before it knows how long the job will take. */
import { expect, it } from 'vitest';
import { createProgress } from '../../../src/cli/progress.js';
import type { Phase, RunEvent } from '../../../src/protocol/records.js';

const time = '2026-11-28T08:00:00.000Z';
const phase = (name: Phase, total: number): RunEvent => ({
  ...{ type: 'phase', time, phase: name, progress: 0, total },
});
const step = (number: number, secondsLeft: number | null): RunEvent => ({
  ...{ type: 'train_step', time, step: number, loss: 1, losses: {}, learningRate: 1, gradNorm: 1 },
  ...{ tokens: 10, tokensPerSecond: secondsLeft, secondsLeft },
});
const sampled = (secondsLeft: number | null): RunEvent => ({
  ...{ type: 'sample_progress', time, samples: 0, total: 8, tokens: 256 },
  ...{ tokensPerSecond: secondsLeft, secondsLeft },
});

function linesOf(...events: RunEvent[]): string[] {
  const lines: string[] = [];
  const redraw = (text: string) => void lines.push(text);
  const progress = createProgress({ out: redraw, redraw, tty: true, columns: 120 });
  events.forEach((event) => progress.show(event));
  return lines.map((line) => line.replace(/[█░]+/, '|').replace(/ +/g, ' '));
}

it('says that it starts until the first step, then that it estimates, then how long it takes', () => {
  const measured = [phase('evaluating', 3), phase('training', 9)];
  expect(linesOf(phase('training', 9), step(1, null), step(2, 70), ...measured)).toEqual([
    'training | 0 % 0/9 starting…',
    'training | 11 % 1/9 loss 1 estimating…',
    'training | 22 % 2/9 loss 1 70 tokens/s 1 min 10 s left',
    'evaluating | 0 % 0/3',
    'training | 0 % 0/9',
  ]);
});

it('says the same of samples, with the tokens that are written', () => {
  expect(linesOf(phase('starting', 0), phase('generating', 8), sampled(null), sampled(5))).toEqual([
    'reading the weights …',
    'generating | 0 % 0/8 starting…',
    'generating | 0 % 0/8 256 tokens estimating…',
    'generating | 0 % 0/8 256 tokens 5 tokens/s 5 s left',
  ]);
});

it('says what happens before there is a run', () => {
  const lines: string[] = [];
  const out = (text: string) => void lines.push(text);
  createProgress({ out, redraw: out, tty: false, columns: 80 }).begin('starting: reading the data');
  expect(lines).toEqual(['starting: reading the data …\n']);
});
