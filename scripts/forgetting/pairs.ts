/** The runs of an experiment read in pairs: standard and CFS of one seed, and where they are equal. */
import { defined } from '../../src/errors.js';
import { timeWorked } from '../../src/protocol/history.js';
import type { RunResults } from '../../src/protocol/records.js';
import { readEvents, readResults, type RunFolder } from '../../src/runs/runFolder.js';
import type { ComparedMethod } from './experiment.js';
import { atLoss, commonLoss, curveOf, endOf, type Measure, type Point } from './measures.js';
import { spreadOf, type Spread } from './statistics.js';

/** One method of one seed, read from its folder. */
export interface Trained {
  run: RunFolder;
  results: RunResults;
  curve: Point[];
  end: Point;
  /** Time worked by phase, and `total`. */
  seconds: ReturnType<typeof timeWorked>;
}

export interface SeedPair {
  seed: number;
  runs: Record<ComparedMethod, Trained>;
  /** The downstream loss that both reach, and where each first reaches it. */
  loss: number;
  equal: Record<ComparedMethod, Point>;
}

export type FinishedRuns = { seed: number; runs: Record<ComparedMethod, RunFolder> };

/** Where in a pair a method is looked at. */
export type PointOf = (pair: SeedPair, method: ComparedMethod) => Point;

/** Reads both runs of a seed from their folders. */
export function readPair({ seed, runs }: FinishedRuns): SeedPair {
  const read = { sft: readTrained(runs.sft), cfs: readTrained(runs.cfs) };
  const loss = commonLoss([read.sft.curve, read.cfs.curve]);
  const equal = { sft: atLoss(read.sft.curve, loss), cfs: atLoss(read.cfs.curve, loss) };
  return { seed, runs: read, loss, equal };
}

function readTrained(run: RunFolder): Trained {
  const events = readEvents(run);
  const results = defined(readResults(run), `results of ${run.id}`);
  return {
    run,
    results,
    curve: curveOf(events),
    end: endOf(results),
    seconds: timeWorked(events),
  };
}

/** One measure over the seeds. */
export function spreadsOf(
  pairs: readonly SeedPair[],
  pointOf: PointOf,
  name: Measure,
): Record<ComparedMethod | 'difference', Spread> {
  const of = (pair: SeedPair, method: ComparedMethod): number => pointOf(pair, method).values[name];
  return {
    sft: spreadOf(pairs.map((pair) => of(pair, 'sft'))),
    cfs: spreadOf(pairs.map((pair) => of(pair, 'cfs'))),
    difference: spreadOf(pairs.map((pair) => of(pair, 'cfs') - of(pair, 'sft'))),
  };
}
