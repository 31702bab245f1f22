/** The passes of an average step, drawn by the mixer and the packing that will make the real ones. */
import { createMixer } from '../../mixer/mixer.js';
import { isPlanned, type PlannedRows } from '../../mixer/preview.js';
import { withHash, type RowStore } from '../../mixer/rowStore.js';
import { contextFreeRow } from '../../mixer/rows.js';
import { splitIntoBatches } from '../../model/packing.js';
import type { StepShape } from '../../trainer/step.js';
import { passSizeOf, type PassSize } from '../../model/trunk.js';
import type { TrainingWork } from '../work.js';
import type { RunFacts } from './phase.js';

/** Steps that are drawn to know the average one; they end early when they hold this many tokens. */
const [drawnSteps, drawnTokens] = [16, 100_000];

export function drawSteps(
  { config, model, sources: expected }: RunFacts,
  { time, maxTokens }: StepShape,
  steps: number,
): Pick<TrainingWork, 'first' | 'more' | 'next' | 'largest'> {
  const { mix, training, seed } = config;
  const { vocabSize } = model.architecture;
  const sources = expected.map((source) => ({
    ...source,
    rows: isPlanned(source.rows) ? standIns(source.rows, vocabSize) : source.rows,
  }));
  const mixer = createMixer({ sources, mode: mix.mode, batchRows: training.batchRows, seed });
  const first: PassSize[] = [];
  const next: PassSize[] = [];
  for (let tokens = 0; first.length < Math.min(drawnSteps, steps) && tokens < drawnTokens;) {
    const drawn = mixer.next()?.rows ?? [];
    const layout = { maxTime: time, multiple: time, maxTokens };
    splitIntoBatches(drawn, layout).forEach((batch, i) => {
      (i === 0 ? first : next).push(passSizeOf(batch));
      tokens += batch.ids.length;
    });
  }
  return {
    first: summary(first, mean),
    more: next.length / first.length,
    next: summary(next, mean),
    largest: summary([...first, ...next], (values) => Math.max(...values)),
  };
}

/** Stand-ins at most: more would change nothing in so few steps, and the mixer puts all in an order. */
const mostStandIns = 1e6;

/** Rows in place of those that are not made yet, with tokens as different as can be. */
function standIns({ rows: planned, meanTokens }: PlannedRows, vocabulary: number): RowStore {
  const rows = Math.min(planned, mostStandIns);
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
