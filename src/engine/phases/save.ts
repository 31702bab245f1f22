/** The last phase: the fine-tuned model as a Hugging Face folder, `items.jsonl` and `results.json`. */
import { defined } from '../../errors.js';
import type { Comparison } from '../../evaluator/compare.js';
import { summarize } from '../../evaluator/forgetting.js';
import type { DriftEstimate } from '../../evaluator/kl.js';
import { downstreamTask } from '../../evaluator/taskNames.js';
import { modelCard } from '../../model/modelCard.js';
import { saveModelFolder } from '../../model/save.js';
import { timeWorked } from '../../protocol/history.js';
import type { ItemRecord, RunResults, TaskResult } from '../../protocol/records.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { valueAt } from '../../runs/fields.js';
import { readEvents } from '../../runs/runFolder.js';
import type { TrainingState } from '../../trainer/checkpoint.js';
import { progress, type Job } from '../context.js';
import { compareScores, finite, headlines, type Scores } from '../evaluation.js';
import { chosenMethod } from '../method.js';
import { describeChosen } from '../samples.js';
import { versions } from '../versions.js';
import type { Phase } from './phase.js';
import { own } from '../../own.js';

export interface SaveInput {
  base: Scores;
  final: Scores;
  kl: DriftEstimate | undefined;
  state: TrainingState;
  /** The step whose weights the store holds. */
  savedStep: number;
  items: Iterable<ItemRecord>;
}

/** Throws `WRITE_FAILED`, `WEIGHTS_NOT_FINITE`. */
export const save: Phase<SaveInput, void> = {
  name: 'saving',
  plan: () => [],
  run: async (job, { base, final, kl, state, savedStep, items }) => {
    const { run, config, writer, device, report } = job;
    report(progress('saving', 0, 1));
    const comparisons = compareScores(base, final, config.seed);
    const tasks = comparisons.filter(({ task }) => task !== downstreamTask);
    const downstream = comparisons.find(({ task }) => task === downstreamTask);
    const samples = describeChosen(run);
    await saveModel(job, comparisons, samples?.samples);
    report(progress('saving', 1, 1));
    const results: RunResults = {
      method: config.method,
      steps: state.step,
      savedStep,
      provider: device.provider.name,
      tasks: tasks.map(taskResult),
      ...(downstream ? { downstream: taskResult(downstream) } : {}),
      forgetting: summarize(headlines(tasks)),
      ...(kl
        ? {
            kl: {
              mean: finite(kl.perSequence),
              stderr: finite(kl.perSequenceStderr),
              samples: kl.samples,
            },
          }
        : {}),
      samples,
      timings: timeWorked(readEvents(run)),
      versions: versions(),
    };
    writer.writeItems(items);
    writer.writeResults(results);
  },
};

/** Writes `model/`; `samples` is how many were trained on. */
async function saveModel(
  { run, config, model, store }: Job,
  comparisons: Comparison[],
  samples: number | undefined,
): Promise<void> {
  const weights = new Map<string, Float32Array>();
  for await (const { name, data } of store.read('weight')) weights.set(name, data);
  const { aliases } = model.architecture;
  const card = modelCard({
    baseModel: config.model,
    method: config.method,
    settings: {
      ...flatten(cardSettings(config)),
      ...(samples === undefined ? {} : { 'context-free samples': samples }),
    },
    results: comparisons.map(({ task, metric, base, current }) => ({
      task,
      metric,
      before: base.score,
      after: current.score,
    })),
  });
  saveModelFolder({
    source: model.folder,
    target: run.paths.model,
    // What the source stores a second time must not keep its old values.
    weights: (name) => weights.get(name) ?? weights.get(own(aliases, name) ?? ''),
    card,
  });
}

/** The configuration without the paths of this machine. */
function cardSettings(config: RunConfig): object {
  const { name, settings } = chosenMethod(config).method;
  const sections = settings.uses.map((field) => field.replace(/\..*/, ''));
  const used = [...new Set([...sections, ...(settings.own ? [name] : [])])];
  return {
    seed: config.seed,
    training: config.training,
    ...Object.fromEntries(used.map((section) => [section, valueAt(config, section)])),
  };
}

function flatten(value: object, prefix = ''): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value) as [string, unknown][]) {
    if (entry === undefined) continue;
    const isGroup = typeof entry === 'object' && entry !== null && !Array.isArray(entry);
    Object.assign(flat, isGroup ? flatten(entry, `${key}.`) : { [prefix + key]: entry });
  }
  return flat;
}

function taskResult(comparison: Comparison): TaskResult {
  const { task, metric, higherIsBetter, n, base, current, change, interval } = comparison;
  const estimate = ({ score, stderr }: Comparison['base']) => ({
    score: finite(score),
    stderr: finite(stderr),
  });
  return {
    task,
    metric,
    higherIsBetter,
    n,
    base: estimate(base),
    final: estimate(current),
    change: finite(change),
    ...(interval.every(Number.isFinite) ? { interval } : {}),
    ...(comparison.rightToWrong
      ? {
          rightToWrong: comparison.rightToWrong.count,
          wrongToRight: defined(comparison.wrongToRight, 'transitions').count,
        }
      : {}),
  };
}
