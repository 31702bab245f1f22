/** The phase that measures: before, during and after training, always against the base model. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../files.js';
import type { RowStore } from '../mixer/rowStore.js';
import type { RunEvent, SampleRecord } from '../protocol/records.js';
import { phase, type Job } from './context.js';
import {
  allResults,
  compareScores,
  createEvaluator,
  downstreamTask,
  finite,
  scoresSchema,
  taskScore,
  type Evaluator,
  type Extent,
  type Scores,
} from './evaluation.js';
import { now } from './progress.js';

export function createJobEvaluator(
  { config, device, model, store }: Job,
  klSamples: SampleRecord[],
  downstream: RowStore | undefined,
): Evaluator {
  const { tasks: taskFiles, subset } = config.evaluation;
  const { weights } = store;
  const { seed } = config;
  return createEvaluator({
    device,
    model,
    weights,
    taskFiles,
    downstream,
    klSamples,
    subset,
    seed,
  });
}

/** The base model's scores, from the run folder where they are there already. */
export async function scoreBase(job: Job, evaluator: Evaluator): Promise<Scores> {
  const { run, config } = job;
  if (existsSync(run.paths.base)) {
    return scoresSchema.parse(JSON.parse(readFileSync(run.paths.base, 'utf8')));
  }
  const extent = config.evaluation.full ? 'full' : 'subset';
  const { scores } = await measure(job, evaluator, undefined, extent, 0);
  writeFileAtomic(run.paths.base, `${JSON.stringify(scores)}\n`);
  return scores;
}

/**
 * Scores and KL of the current weights, reported as `evaluation` events: full scores also as those
 * of the subset, so that the curves begin at the base model and reach the last step.
 */
export async function measure(
  { config, report }: Job,
  evaluator: Evaluator,
  base: Scores | undefined,
  extent: Extent,
  step: number,
) {
  const scores = await evaluator.score(extent, (done, total) =>
    report(phase('evaluating', done, total)),
  );
  const kl = await evaluator.kl();
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
