/**
 * What `npm run results` compares: the same fine-tuning with and without context-free samples, once
 * per seed, and the tasks on which forgetting is measured. Everything else that the two runs of a
 * seed do is equal.
 */
import { readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { defined } from '../../src/errors.js';
import { readDocuments, type Document } from '../../src/evaluator/documents.js';
import { writeFileAtomic } from '../../src/files.js';
import { createRandom, permutation } from '../../src/random.js';
import { runConfigSchema, type RunConfig } from '../../src/runs/configSchema.js';

export interface Experiment {
  /** Hugging Face folder of the base model. */
  model: string;
  /** Folder with `e2e_nlg`, `tinystories`, `blimp` and `lambada`. */
  data: string;
  /** Where the runs and the task files are kept. */
  workspace: string;
  seeds: number[];
  /** Optimizer steps of each run. */
  steps: number;
  /** Steps from one point of the curves to the next. */
  every: number;
  /** Items per task before and after training. */
  limit: number;
  /** Items per task at each point of the curves. */
  subset: number;
}

export const comparedMethods = ['sft', 'cfs'] as const;
export type ComparedMethod = (typeof comparedMethods)[number];

/** The sets in which a model of little stories is above chance; elsewhere it has nothing to forget. */
export const blimpSets = [
  'anaphor_gender_agreement',
  'anaphor_number_agreement',
  'determiner_noun_agreement_1',
  'determiner_noun_agreement_2',
  'determiner_noun_agreement_with_adj_2',
  'irregular_past_participle_adjectives',
  'principle_A_case_1',
  'superlative_quantifiers_1',
] as const;

export const blimpPrefix = 'blimp_';

/** Words kept of a story: about 240 tokens, so that a story is one row of a 256-token context. */
export const storyWords = 180;

const shippedTasks = join(import.meta.dirname, '../../media/tasks');

/** Draws the items from the data: the same for every run, whatever its seed. */
const drawSeed = 20250513;

interface TaskData {
  name: string;
  /** The shipped task file that says how the items are asked. */
  shipped: string;
  read: (data: string) => Document[];
}

const tasks: TaskData[] = [
  {
    name: 'tinystories',
    shipped: 'tinystories.yaml',
    read: (data) => {
      const { separator } = readShipped('tinystories.yaml');
      const file = join(data, 'tinystories/tinystories_val.txt');
      const stories = readDocuments(file, z.string().parse(separator));
      return stories.map(({ text }) => ({ text: firstWords(z.string().parse(text), storyWords) }));
    },
  },
  {
    name: 'lambada',
    shipped: 'lambada.yaml',
    read: (data) => readDocuments(join(data, 'lambada/lambada_test.jsonl')),
  },
  ...blimpSets.map((set) => ({
    name: `${blimpPrefix}${set}`,
    shipped: 'blimp.yaml',
    read: (data: string) => readDocuments(join(data, `blimp/data/${set}.jsonl`)),
  })),
];

/** The task files and held-out rows of an experiment, `limit` items each; names only. */
function itemFiles({ workspace, limit }: Experiment) {
  const folder = join(resolve(workspace), `items-${limit}`);
  return {
    folder,
    tasks: tasks.map(({ name }) => join(folder, `${name}.yaml`)),
    downstream: join(folder, 'e2e_nlg.jsonl'),
  };
}

/** Writes the items that are measured. Throws what `readDocuments` throws, and `WRITE_FAILED`. */
export function writeItems(experiment: Experiment): void {
  const { folder, downstream } = itemFiles(experiment);
  const { data, limit } = experiment;
  for (const { name, shipped, read } of tasks) {
    writeJsonLines(join(folder, `${name}.jsonl`), draw(read(data), limit));
    const task = { ...readShipped(shipped), task: name, data: `${name}.jsonl` };
    writeFileAtomic(join(folder, `${name}.yaml`), stringify(task));
  }
  const rows = readDocuments(join(data, 'e2e_nlg/testset_w_refs.csv'));
  writeJsonLines(downstream, draw(rows, limit));
}

/** The run of one method and seed. */
export function configOf(experiment: Experiment, method: ComparedMethod, seed: number): RunConfig {
  const { model, data, steps, every, subset } = experiment;
  const files = itemFiles(experiment);
  const columns = { prompt: 'mr', response: 'ref' };
  return runConfigSchema.parse({
    name: `${basename(model)} ${method} seed ${seed}`,
    model: resolve(model),
    dataset: [{ path: resolve(data, 'e2e_nlg/devset.csv'), columns }],
    method,
    seed,
    provider: 'cpu',
    generation: { budget: 0.1, maxLength: 160, batchSize: 64 },
    mix: { cfsShare: 0.5 },
    training: {
      learningRate: 3e-4,
      steps,
      batchRows: 16,
      maxLength: 256,
      // Every point of the curve is then what a run stopped there would have given.
      schedule: 'constant',
      checkpointEvery: 50,
      keepCheckpoints: 1,
    },
    evaluation: {
      tasks: files.tasks,
      every,
      subset,
      klSamples: 32,
      downstream: [{ path: files.downstream, columns }],
    },
  });
}

/** The command line that makes this experiment, with the paths as seen from the repository. */
export function commandOf(experiment: Experiment, defaults: Experiment): string {
  const { seeds, steps, every, limit, subset } = experiment;
  const paths = (['model', 'data', 'workspace'] as const)
    .filter((name) => resolve(experiment[name]) !== resolve(defaults[name]))
    .map((name) => `--${name} ${relative(process.cwd(), resolve(experiment[name]))}`);
  const numbers = Object.entries({ steps, every, limit, subset }).map(
    ([name, value]) => `--${name} ${value}`,
  );
  return ['npm run results --', `--seeds ${seeds.join(',')}`, ...numbers, ...paths].join(' ');
}

function readShipped(file: string): Record<string, unknown> {
  const text = readFileSync(join(shippedTasks, file), 'utf8');
  return z.record(z.string(), z.unknown()).parse(parse(text));
}

function draw(documents: Document[], count: number): Document[] {
  const order = permutation(documents.length, createRandom(drawSeed)).slice(0, count).sort();
  return [...order].map((index) => defined(documents[index], 'item'));
}

/** Keeps the white space between the words, which is part of the text that is scored. */
function firstWords(text: string, count: number): string {
  const words = text.trim().split(/(?<=\s)(?=\S)/);
  return words.slice(0, count).join('').trimEnd();
}

function writeJsonLines(file: string, documents: Document[]): void {
  writeFileAtomic(file, ...documents.map((document) => `${JSON.stringify(document)}\n`));
}
