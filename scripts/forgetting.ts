/**
 * `npm run results`: fine-tunes a real model on E2E NLG with and without context-free samples, over
 * several seeds, and writes what was forgotten to `docs/results.md`. Runs are kept in the workspace
 * and reused: an interrupted experiment resumes where it stopped, and `--report-only` only reads.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { interrupted } from '../src/cli/interrupt.js';
import { processTerminal } from '../src/cli/terminal.js';
import { CfsError, formatError } from '../src/errors.js';
import { writeFileAtomic } from '../src/files.js';
import { resultsPage } from './forgetting/document.js';
import { commandOf, writeItems, type Experiment } from './forgetting/experiment.js';
import { finishedRuns, makeRuns } from './forgetting/runs.js';
import { mostSeeds } from './forgetting/statistics.js';

const root = join(import.meta.dirname, '..');
const defaultOut = join(root, 'docs/results.md');

/** At 125 steps the last of the points, every 20, is near the end of the run. */
const defaults: Experiment = {
  model: join(root, '../shared/data/models/stories15M'),
  data: join(root, '../shared/data/datasets'),
  workspace: join(root, '.cfs/results'),
  seeds: [0, 1, 2],
  steps: 125,
  every: 20,
  limit: 120,
  subset: 50,
};

const usage = `usage: npm run results -- [--seeds 0,1,2] [--steps N] [--every steps] [--limit items]
  [--subset items] [--model folder] [--data folder] [--workspace folder] [--out file]
  [--report-only]`;

const count = z.coerce.number().int().min(1);
const optionsSchema = z
  .object({
    model: z.string(),
    data: z.string(),
    workspace: z.string(),
    seeds: z
      .string()
      .regex(/^\d+(,\d+)*$/, 'must be whole numbers with commas between them')
      .transform((text) => text.split(',').map(Number))
      .refine(({ length }) => length <= mostSeeds, `at most ${mostSeeds} seeds`),
    steps: count,
    every: count,
    limit: count.min(2),
    subset: count.min(2),
    out: z.string(),
    'report-only': z.boolean(),
  })
  .refine(({ seeds }) => new Set(seeds).size === seeds.length, 'a seed is given twice')
  .refine(
    ({ steps, every }) => every < steps,
    'there must be a point during training: every < steps',
  );

/** Undefined, with the reason on stderr, for values that make no sense. */
function readOptions() {
  const text = (name: Exclude<keyof Experiment, 'seeds'>) =>
    ({ type: 'string', default: String(defaults[name]) }) as const;
  const { values } = parseArgs({
    options: {
      model: text('model'),
      data: text('data'),
      workspace: text('workspace'),
      seeds: { type: 'string', default: defaults.seeds.join(',') },
      steps: text('steps'),
      every: text('every'),
      limit: text('limit'),
      subset: text('subset'),
      out: { type: 'string', default: defaultOut },
      'report-only': { type: 'boolean', default: false },
    },
  });
  const options = optionsSchema.safeParse(values);
  if (options.success) return options.data;
  console.error(`${z.prettifyError(options.error)}\n${usage}`);
  return undefined;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const { out, 'report-only': reportOnly, ...experiment } = options;
  const say = (line: string): void => console.log(line);
  if (!reportOnly) {
    writeItems(experiment);
    if (!(await makeRuns(experiment, interrupted(processTerminal), say))) {
      say('stopped; the same command resumes from here');
      return 130;
    }
  }
  const page = resultsPage(finishedRuns(experiment), commandOf(experiment, defaults));
  const style = await resolveConfig(defaultOut);
  writeFileAtomic(out, await format(page, { ...style, parser: 'markdown' }));
  say(`wrote ${out}`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof CfsError)) throw error;
  console.error(formatError(error));
  process.exitCode = 1;
}
