/**
 * Who trains how fast: several trainers of one model, by turns. Where the machine holds all of them
 * together they take a step each in turn; a model too large for that is opened by one after the
 * other, for some steps each, and again in the opposite order.
 */
import { availableMemory } from '../../src/engine/estimate/machine.js';
import { defined } from '../../src/errors.js';
import { alternate } from './alternate.js';
import { allocatorNames, type Allocator } from './allocators.js';

/** An optimizer step; seconds are wall seconds. */
export interface TimedStep {
  loss: number;
  seconds: number;
  /** Of them, those of the optimizer. */
  optimizer: number;
}

/** A process with its model loaded. */
export interface Trainer {
  step(): Promise<TimedStep>;
  /** Highest resident bytes of the process. */
  peakBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** A trainer that can be started, always from the same weights. */
export interface Contestant {
  name: string;
  allocator: Allocator;
  /** What a trial has shown: highest resident bytes, and seconds of a step. */
  expectedBytes: number;
  expectedSeconds: number;
  start(): Promise<Trainer>;
}

export interface Standing {
  name: string;
  allocator: Allocator;
  /** The steps of each process, the first of which warms up. */
  turns: TimedStep[][];
  peakBytes: number;
}

/** Steps of each process before any is timed. */
export const warmUpSteps = 1;

/** How many turns each has where they cannot be open together. */
const lonelyTurns = 2;

/** Whichever allocator is fastest, each tried for one step after one to warm up. */
export async function fastestAllocator(
  name: string,
  start: (allocator: Allocator) => Promise<Trainer>,
  names: readonly Allocator[] = allocatorNames,
): Promise<Contestant> {
  let best: Contestant | undefined;
  for (const allocator of names) {
    const trainer = await start(allocator);
    try {
      for (let i = 0; i < warmUpSteps; i++) await trainer.step();
      const { seconds } = await trainer.step();
      if (best && best.expectedSeconds <= seconds) continue;
      const expectedBytes = await trainer.peakBytes();
      const expected = { expectedBytes, expectedSeconds: seconds };
      best = { name, allocator, ...expected, start: () => start(allocator) };
    } finally {
      await trainer.stop();
    }
  }
  return defined(best, 'allocator that was tried');
}

/** `steps` timed steps of each, with `between` once in every turn. */
export async function contest(
  contestants: readonly Contestant[],
  steps: number,
  between: () => Promise<void>,
): Promise<Standing[]> {
  const standings = contestants.map(({ name, allocator }): Standing => ({
    ...{ name, allocator, turns: [], peakBytes: 0 },
  }));
  const needed = contestants.reduce((sum, { expectedBytes }) => sum + expectedBytes, 0);
  const take = 1.1 * needed < availableMemory() ? together : oneByOne;
  await take(contestants, standings, steps, between);
  return standings;
}

async function together(
  contestants: readonly Contestant[],
  standings: readonly Standing[],
  steps: number,
  between: () => Promise<void>,
): Promise<void> {
  const open: { trainer: Trainer; standing: Standing; turn: TimedStep[] }[] = [];
  try {
    for (const [i, standing] of standings.entries()) {
      const trainer = await defined(contestants[i], 'contestant').start();
      const turn: TimedStep[] = [];
      standing.turns.push(turn);
      open.push({ trainer, standing, turn });
      for (let warm = 0; warm < warmUpSteps; warm++) turn.push(await trainer.step());
    }
    await alternate(steps, [
      between,
      ...open.map(
        ({ trainer, turn }) =>
          async () =>
            void turn.push(await trainer.step()),
      ),
    ]);
    for (const { trainer, standing } of open) standing.peakBytes = await trainer.peakBytes();
  } finally {
    for (const { trainer } of open) await trainer.stop();
  }
}

async function oneByOne(
  contestants: readonly Contestant[],
  standings: readonly Standing[],
  steps: number,
  between: () => Promise<void>,
): Promise<void> {
  await alternate(
    lonelyTurns,
    contestants.map((contestant, i) => async () => {
      const standing = defined(standings[i], 'standing');
      const trainer = await contestant.start();
      try {
        const turn: TimedStep[] = [];
        standing.turns.push(turn);
        const count = warmUpSteps + Math.ceil(steps / lonelyTurns);
        for (let step = 0; step < count; step++) turn.push(await trainer.step());
        standing.peakBytes = Math.max(standing.peakBytes, await trainer.peakBytes());
      } finally {
        await trainer.stop();
      }
      await between();
    }),
  );
}

/** What is timed: all steps but those that warm up. */
export function timedSteps({ turns }: Pick<Standing, 'turns'>): TimedStep[] {
  return turns.flatMap((turn) => turn.slice(warmUpSteps));
}
