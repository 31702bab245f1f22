/**
 * What a run will do, in numbers: samples to write, steps and the lines they fill, items to score.
 * Steps and their lines are drawn by the mixer and the packing that will make them.
 */
import { createMixer } from '../../mixer/mixer.js';
import { isPlanned, type ExpectedSource, type PlannedRows } from '../../mixer/preview.js';
import { withHash, type RowStore } from '../../mixer/rowStore.js';
import { contextFreeRow } from '../../mixer/rows.js';
import type { Architecture } from '../../model/architecture.js';
import { countSupervised } from '../../model/batch.js';
import { splitIntoBatches } from '../../model/packing.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { StepShape } from '../../trainer/step.js';
import { judging } from '../sampling.js';
import { stepShape } from '../trainPhase.js';
import type { PassSize } from './graphs.js';
import { scaled, type Requests } from './requests.js';

export interface TrainingWork {
  shape: StepShape;
  steps: number;
  /** Passes of an average step: the first, and those that add to it. */
  first: PassSize;
  /** How many follow the first on average, and their mean size. */
  more: number;
  next: PassSize;
  /** The largest pass. */
  largest: PassSize;
}

/** Steps that are drawn to know the average one; they end early when they hold this many tokens. */
const [drawnSteps, drawnTokens] = [16, 100_000];

export function trainingWork(
  config: RunConfig,
  architecture: Architecture,
  expected: readonly ExpectedSource[],
  steps: number,
): TrainingWork {
  const { mix, training, seed } = config;
  const sources = expected.map((source) => ({
    ...source,
    rows: isPlanned(source.rows) ? standIns(source.rows, architecture.vocabSize) : source.rows,
  }));
  const longest = Math.max(...sources.map(({ rows }) => rows.longest));
  const shape = stepShape(config, architecture, longest);
  const mixer = createMixer({ sources, mode: mix.mode, batchRows: training.batchRows, seed });
  const { time, maxTokens } = shape;
  const first: PassSize[] = [];
  const next: PassSize[] = [];
  for (let tokens = 0; first.length < Math.min(drawnSteps, steps) && tokens < drawnTokens;) {
    const drawn = mixer.next()?.rows ?? [];
    const layout = { maxTime: time, multiple: time, maxTokens };
    splitIntoBatches(drawn, layout).forEach(({ batch, ids, targetIds }, i) => {
      const size = { lines: batch, targets: targetIds.length, unique: new Set(ids).size };
      (i === 0 ? first : next).push(size);
      tokens += ids.length;
    });
  }
  return {
    shape,
    steps,
    first: summary(first, mean),
    more: next.length / first.length,
    next: summary(next, mean),
    largest: summary([...first, ...next], (values) => Math.max(...values)),
  };
}

/** Rows in place of those that are not made yet, with tokens as different as can be. */
function standIns({ rows, meanTokens }: PlannedRows, vocabulary: number): RowStore {
  const length = Math.ceil(meanTokens);
  const row = (index: number) =>
    contextFreeRow(Int32Array.from({ length }, (_, i) => (index * length + i * 7919) % vocabulary));
  return withHash({
    count: rows,
    tokens: rows * length,
    supervisedTokens: rows * (length - 1),
    longest: length,
    row,
    origin: () => undefined,
  });
}

function summary(sizes: PassSize[], of: (values: number[]) => number): PassSize {
  if (sizes.length === 0) return { lines: 0, targets: 0, unique: 0 };
  return {
    lines: of(sizes.map(({ lines }) => lines)),
    targets: of(sizes.map(({ targets }) => targets)),
    unique: of(sizes.map(({ unique }) => unique)),
  };
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Samples written with one decoder. */
export interface WritingWork {
  samples: number;
  length: number;
  batch: number;
}

/** `samples` to train on, those that judge `candidates` for the start token, those for KL. */
export function writingWork(
  config: RunConfig,
  architecture: Architecture,
  samples: number,
  candidates: number,
): WritingWork[] {
  const { maxLength, batchSize } = config.generation;
  const length = Math.min(maxLength, architecture.contextLength - 1);
  const write = (count: number, longest: number): WritingWork[] =>
    count === 0
      ? []
      : [{ samples: count, length: Math.min(length, longest), batch: Math.min(batchSize, count) }];
  const tries = samples === 0 ? 0 : Math.min(candidates, judging.candidates);
  return [
    ...write(samples, length),
    ...Array.from({ length: tries }, () => write(judging.samples, judging.length)).flat(),
    ...write(config.evaluation.klSamples, length),
  ];
}

/** Everything that is scored in a run, all evaluations together. */
export function evaluatingWork(
  config: RunConfig,
  steps: number,
  tasks: readonly Requests[],
  downstream: RowStore,
): Requests[] {
  const { every, full, subset, klSamples, bestBy } = config.evaluation;
  // The last step is measured in full afterwards, unless it is to be compared with the others.
  const onTheWay =
    every === 0 ? 0 : bestBy === 'last' ? Math.ceil(steps / every) - 1 : Math.ceil(steps / every);
  const atEnds = 2;
  const all = [...tasks, rowRequests(downstream)].filter(({ items }) => items > 0);
  const kl = klRequests(config.generation.maxLength, klSamples);
  const times = ({ items, scored, written }: Requests, count: number): Requests => ({
    items,
    scored: scored.map((row) => ({ ...row, rows: row.rows * count })),
    written: written.map((row) => ({ ...row, rows: row.rows * count })),
  });
  return [
    ...all.map((task) => times(full ? task : scaled(task, subset), atEnds)),
    ...all.map((task) => times(scaled(task, subset), onTheWay)),
    times(kl, atEnds + onTheWay),
  ];
}

/** Rows looked at; the others are like them. */
const sampledRows = 500;

function rowRequests(rows: RowStore): Requests {
  const count = Math.min(sampledRows, rows.count);
  const scored = Array.from({ length: count }, (_, i) => {
    const row = rows.row(Math.floor((i * rows.count) / count));
    const targets = countSupervised(row);
    return { tokens: row.ids.length, targets, rows: rows.count / count };
  });
  return { items: rows.count, scored, written: [] };
}

function klRequests(length: number, samples: number): Requests {
  const scored = [{ tokens: length + 1, targets: length, rows: samples }];
  return { items: samples, scored, written: [] };
}
