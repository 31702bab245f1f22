/** The phases that measure: before and after training, always compared with the base model. */
import { downstreamTask } from '../../evaluator/taskNames.js';
import type { RowStore } from '../../mixer/rowStore.js';
import { countSupervised } from '../../model/batch.js';
import type { RunEvent, SampleRecord } from '../../protocol/records.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { readBase } from '../../runs/runFolder.js';
import type { HeldWeights } from '../../runtime/index.js';
import { writeSealed } from '../../sealed.js';
import { progress, type Job } from '../context.js';
import {
  allResults,
  compareScores,
  createEvaluator,
  finite,
  scoresSchema,
  taskScore,
  type Evaluator,
  type Extent,
  type Scores,
} from '../evaluation.js';
import { now } from '../progress.js';
import { klSettings } from '../samples.js';
import { samplingShape } from '../sampling.js';
import { scaled, type Requests, type Work } from '../work.js';
import type { Phase, RunFacts } from './phase.js';

export function createJobEvaluator(
  { config, device, model, decoders }: Job,
  klSamples: SampleRecord[],
  downstream: RowStore | undefined,
): Evaluator {
  const { tasks: taskFiles, subset } = config.evaluation;
  const { seed } = config;
  return createEvaluator({
    device,
    model,
    decoders,
    taskFiles,
    downstream,
    klSamples,
    subset,
    seed,
  });
}

/** What is measured at both ends of a run. */
function endExtent({ evaluation }: RunConfig): Extent {
  return evaluation.full ? 'full' : 'subset';
}

/** The base model's scores, from the run folder where they are there already. */
export const measureBase: Phase<Evaluator, Scores> = {
  name: 'evaluating',
  plan: (facts) => measuringWork(facts, endExtent(facts.config)),
  run: async (job, evaluator) => {
    const { run, config, base } = job;
    const known = readBase(run, scoresSchema);
    if (known !== undefined) return known;
    const { scores } = await base.use((weights) =>
      measure(job, evaluator, { weights, base: undefined, extent: endExtent(config), step: 0 }),
    );
    writeSealed(run.paths.base, scores);
    return scores;
  },
};

/** The scores of the weights that are about to be saved. */
export const measureEnd: Phase<
  { evaluator: Evaluator; base: Scores; step: number },
  Awaited<ReturnType<typeof measure>>
> = {
  name: 'evaluating',
  plan: (facts) => measuringWork(facts, endExtent(facts.config)),
  run: (job, { evaluator, base, step }) => {
    const { weights } = job.store;
    return measure(job, evaluator, { weights, base, extent: endExtent(job.config), step });
  },
};

/** What so many measurements take. */
export function measuringWork(
  { config, model, downstream, tasks }: Omit<RunFacts, 'sources'>,
  extent: Extent,
  times = 1,
): Work[] {
  const { subset, klSamples } = config.evaluation;
  const asked = [...tasks, rowRequests(downstream)].filter(({ items }) => items > 0);
  const { length } = samplingShape(klSettings(config), model, klSamples);
  const scored = [{ tokens: length + 1, targets: length, rows: klSamples }];
  return [
    ...asked.map((requests) => (extent === 'full' ? requests : scaled(requests, subset))),
    ...(klSamples > 0 ? [{ items: klSamples, scored, written: [] }] : []),
  ].map((requests) => ({ kind: 'score', times, ...requests }));
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

export interface Measurement {
  weights: HeldWeights;
  /** The base model's scores; undefined when it is the base model that is measured. */
  base: Scores | undefined;
  extent: Extent;
  step: number;
}

/**
 * Scores and KL of some weights, reported as `evaluation` events: full scores also as those
 * of the subset, so that the curves begin at the base model and reach the last step.
 */
export async function measure(
  { config, report }: Job,
  evaluator: Evaluator,
  { weights, base, extent, step }: Measurement,
) {
  const scores = await evaluator.score(weights, extent, (done, total) =>
    report(progress('evaluating', done, total)),
  );
  const kl = await evaluator.kl(weights);
  const describe = (kind: Extent, measured: Scores): RunEvent => {
    const comparisons = compareScores(base ?? measured, measured, config.seed);
    const all = allResults(measured).map((result) => {
      const { task, metric, filter } = result;
      const comparison = comparisons.find(
        (one) => one.task === task && one.metric === metric && one.filter === filter,
      );
      return taskScore(result, comparison);
    });
    return {
      type: 'evaluation',
      time: now(),
      step,
      kind,
      tasks: all.filter(({ task }) => task !== downstreamTask),
      downstream: all.find(({ task }) => task === downstreamTask),
      kl: kl && {
        mean: finite(kl.perSequence),
        stderr: finite(kl.perSequenceStderr),
        samples: kl.samples,
      },
    };
  };
  const isMeasuredAlready = base !== undefined && config.evaluation.bestBy !== 'last';
  if (extent === 'full' && !isMeasuredAlready) {
    report(describe('subset', evaluator.restrict(scores)));
  }
  report(describe(extent, scores));
  return { scores, kl, comparisons: compareScores(base ?? scores, scores, config.seed) };
}
