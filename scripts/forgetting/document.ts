/**
 * `docs/results.md`, written from finished runs alone: every number and every verdict in it follows
 * from them, so that the page cannot say more than was measured.
 */
import { basename } from 'node:path';
import { defined } from '../../src/errors.js';
import { formatNumber, formatSeconds } from '../../src/protocol/format.js';
import { methodLabel } from '../../src/methods/index.js';
import type { SampleRecord } from '../../src/protocol/records.js';
import { readSamples } from '../../src/runs/runFolder.js';
import {
  blimpPrefix,
  blimpSets,
  comparedMethods,
  storyWords,
  type ComparedMethod,
} from './experiment.js';
import { machineOf } from './machine.js';
import { measureNames, measures } from './measures.js';
import {
  readPair,
  spreadsOf,
  type FinishedRuns,
  type PointOf,
  type SeedPair,
  type Trained,
} from './pairs.js';
import { describeReading } from './reading.js';
import { spreadOf, type Spread } from './statistics.js';
import { codeBlock, signed, spreadText, table } from './text.js';

/** The page as Markdown. */
export function resultsPage(finished: readonly FinishedRuns[], command: string): string {
  const pairs = finished.map(readPair);
  const first = defined(pairs[0], 'seed').runs.cfs;
  const { model } = first.run.config;
  return [
    `# Results: \`${basename(model)}\` on E2E NLG, with and without context-free samples`,
    'Everything on this page, including its conclusions, was written by',
    codeBlock('sh', command),
    '## What the numbers say',
    ...describeReading(pairs),
    '## How it was measured',
    ...describeSettings(pairs, first),
    '## At equal downstream loss',
    describeEqual(pairs),
    comparison(pairs, (pair, method) => pair.equal[method]),
    '## At the end of training',
    'Every run after its last step, on all items. The methods differ here in how well they learned the new task, so this table alone is no comparison.',
    comparison(pairs, (pair, method) => pair.runs[method].end),
    '## During training',
    'Means over the seeds on the subset of items; step 0 is the base model.',
    alongTheWay(pairs),
    '## BLiMP set by set',
    'Accuracy in percent before, and the change in points at the end of training, mean over the seeds. Chance is 50.',
    blimpTable(pairs),
    '## Context-free samples from the base model',
    ...describeSamples(first),
    '## Time and machine',
    ...describeMachine(pairs),
  ]
    .join('\n\n')
    .concat('\n');
}

function describeSettings(pairs: readonly SeedPair[], { run, results }: Trained): string[] {
  const { generation, mix, training, evaluation } = run.config;
  const { samples, downstream } = results;
  const settings: [string, string][] = [
    ['dataset', 'E2E NLG, `devset.csv`: meaning representation → sentence, loss on the sentence'],
    ['seeds', pairs.map(({ seed }) => seed).join(', ')],
    ['steps × rows', `${training.steps} × ${training.batchRows}`],
    ['learning rate', `${training.learningRate}, ${training.schedule} after the warm-up`],
    ['AdamW', `β ${training.beta1}, ${training.beta2}; weight decay ${training.weightDecay}`],
    ['gradient norm', `clipped at ${training.clipNorm}`],
    [
      'context-free samples',
      `${samples?.samples} (${100 * generation.budget} % of the rows), temperature ${generation.temperature}, at most ${generation.maxLength} tokens`,
    ],
    ['mix (CFS only)', `${100 * (mix.cfsShare ?? NaN)} % of each batch, λ = ${mix.lambda}`],
  ];
  const known = results.tasks.filter(
    ({ task, base }) => task.startsWith(blimpPrefix) && (base.score ?? 0) > 0.5,
  ).length;
  const stories = `TinyStories validation loss (first ${storyWords} words of a story)`;
  return [
    `Each seed trains twice from the same base model, standard (loss on the dataset's responses alone) and CFS (the same plus context-free samples, with loss on all their tokens), with otherwise equal settings. A CFS batch holds as many rows as a standard one, so in the same number of steps CFS sees fewer rows of the dataset.`,
    table(['setting', 'value'], settings),
    `Measured: E2E response loss on held-out rows of \`testset_w_refs.csv\`, ${stories}, LAMBADA, ${blimpSets.length} BLiMP sets (the base model is above chance in ${known} of them), and KL(base ‖ model) on ${evaluation.klSamples} samples from the base model that are not trained on. ${downstream?.n} items per task before and after training, ${evaluation.subset} during training (every ${evaluation.every} steps). The items before and after are the same for all runs; those during training are drawn with the seed.`,
    pairs.length === 1
      ? 'There is only one seed, so there are no intervals.'
      : `In brackets: 95 % intervals by Student's t over the ${pairs.length} seeds; differences are paired by seed. They cover what varies between seeds (the samples, the order of the data and, during training, the items), not what other items, another model or another dataset would change.`,
  ];
}

function describeEqual(pairs: readonly SeedPair[]): string {
  const listed = pairs.map(({ seed, loss, equal }) => {
    const [standard, cfs] = [equal.sft, equal.cfs].map(({ step }) => formatNumber(step, 3));
    return `seed ${seed}: ${loss.toFixed(measures.downstream.digits)} (standard at step ${standard}, CFS at step ${cfs})`;
  });
  return `Methods are compared where they have learned the new task equally well: at the lowest E2E loss that both runs of a seed reach on the subset. Between two measured points the curves are interpolated linearly. ${listed.join('; ')}.`;
}

/** Every measure of both methods and their difference, over the seeds. */
function comparison(pairs: readonly SeedPair[], pointOf: PointOf): string {
  const rows = measureNames.map((name) => {
    const { label, unit, digits, change } = measures[name];
    const { sft, cfs, difference } = spreadsOf(pairs, pointOf, name);
    const text = (spread: Spread, withSign: boolean): string =>
      spreadText(spread, digits, withSign);
    return [`${label} (${unit})`, text(sft, change), text(cfs, change), text(difference, true)];
  });
  return table(['measure', 'standard', 'CFS', 'CFS − standard'], rows, 1);
}

function alongTheWay(pairs: readonly SeedPair[]): string {
  const shown = ['downstream', 'stories', 'blimp', 'kl'] as const;
  const steps = defined(pairs[0], 'seed').runs.sft.curve.map(({ step }) => step);
  const rows = steps.map((step, index) => {
    const cells = shown.flatMap((name) =>
      comparedMethods.map((method) => {
        const values = pairs.map(
          ({ runs }) => defined(runs[method].curve[index], 'point').values[name],
        );
        return signed(spreadOf(values).mean, measures[name].digits, measures[name].change);
      }),
    );
    return [String(step), ...cells];
  });
  const head = shown.flatMap((name) =>
    comparedMethods.map((method) => `${measures[name].label}: ${methodLabel(method)}`),
  );
  return table(['step', ...head], rows, 0);
}

function blimpTable(pairs: readonly SeedPair[]): string {
  const scoreOf = (pair: SeedPair, method: ComparedMethod, task: string) =>
    defined(
      pair.runs[method].results.tasks.find((each) => each.task === task),
      task,
    );
  const first = defined(pairs[0], 'seed');
  const rows = blimpSets.map((set) => {
    const task = blimpPrefix + set;
    const { base } = scoreOf(first, 'sft', task);
    const changes = comparedMethods.map((method) => {
      const values = pairs.map((pair) => 100 * (scoreOf(pair, method, task).change ?? NaN));
      return spreadText(spreadOf(values), measures.blimp.digits, true);
    });
    return [`\`${set}\``, (100 * (base.score ?? NaN)).toFixed(1), ...changes];
  });
  return table(['set', 'base', 'standard', 'CFS'], rows, 1);
}

const shownSamples = 5;

function describeSamples({ run, results }: Trained): string[] {
  const shown: SampleRecord[] = [];
  for (const sample of readSamples(run)) if (sample.index < shownSamples) shown.push(sample);
  const { samples } = results;
  const of = (value: number | null | undefined): string => formatNumber(value, 3);
  return [
    `The first ${shown.length} of seed ${run.config.seed} as they are, from the BOS token alone. Over all ${samples?.samples} of them: perplexity ${of(samples?.perplexity)}, distinct bigrams ${of(samples?.distinct2)}, ${samples?.exactDuplicates} duplicates, ${of(100 * (samples?.stoppedByEos ?? NaN))} % ended with EOS. ${samples?.verdict?.reason ?? ''}`.trimEnd(),
    ...shown
      .toSorted((a, b) => a.index - b.index)
      .map(({ text, stop }) =>
        codeBlock('text', stop === 'eos' ? text.trimEnd() : `${text.trimEnd()} […]`),
      ),
  ];
}

function describeMachine(pairs: readonly SeedPair[]): string[] {
  const all = pairs.flatMap(({ runs }) => comparedMethods.map((method) => runs[method]));
  const machines = new Set(
    all.map(({ run, results }) => {
      const machine = machineOf(run);
      const versions = Object.entries(results.versions).map(([name, version]) => {
        return `${name} ${version}`;
      });
      const hardware = machine
        ? `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}`
        : 'a machine that was not recorded';
      return `- ${hardware}; provider ${results.provider}; ${versions.join(', ')}`;
    }),
  );
  const phases = ['preparing', 'generating', 'evaluating', 'training', 'total'];
  const rows = comparedMethods.map((method) => [
    methodLabel(method),
    ...phases.map((phase) => {
      const seconds = pairs.map(({ runs }) => runs[method].seconds[phase] ?? NaN);
      return formatSeconds(spreadOf(seconds).mean);
    }),
  ]);
  return [
    [...machines].join('\n'),
    'Time worked on one run in all its sessions, mean over the seeds. Standard generates only the KL samples.',
    table(['method', ...phases], rows, 1),
  ];
}
