/**
 * Our evaluator beside the real lm-evaluation-harness: takes what `lmEvalOracle.py` wrote for a
 * model folder, asks our evaluator the same, and compares the tokens, log-likelihood and greedy flag
 * of every choice, and the scores. Exits 1 when anything differs beyond the tolerance.
 *
 *   npx tsx scripts/compareLmEval.ts MODEL ORACLE.json --task NAME=FILE… [--limit N]
 *
 * The tasks, files and limit must be those the oracle was run with.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { defined } from '../src/errors.js';
import { evaluateTask } from '../src/evaluator/evaluate.js';
import type { LanguageModel, LoglikelihoodRequest } from '../src/evaluator/languageModel.js';
import type { LoglikelihoodAnswer } from '../src/evaluator/results.js';
import { continuationTokens } from '../src/evaluator/requests.js';
import { scoredModel } from '../src/evaluator/scoredModel.js';
import { loadTask } from '../src/evaluator/task.js';
import type { Task } from '../src/evaluator/task.js';
import { tokenizerAddsBos } from '../src/model/bos.js';
import { findBos, findEos } from '../src/model/bos.js';
import { folderArchitecture } from '../src/model/families/index.js';
import { openModelFolder } from '../src/model/folder.js';
import { createScorer } from '../src/model/scoreGraph.js';
import { loadTokenizer } from '../src/model/tokenizer.js';
import { openDevice } from '../src/runtime/index.js';
import { createStore } from '../src/trainer/store.js';
import { planFrozen } from '../src/trainer/storePlan.js';

/** Both sides sum float32 log-probabilities of up to some hundred nats; nats. */
const absoluteTolerance = 5e-4;
const relativeTolerance = 2e-6;

const oracleSchema = z.object({
  lm_eval: z.string(),
  max_length: z.number(),
  prefix_token: z.number(),
  tasks: z.record(
    z.string(),
    z.object({
      scores: z.record(z.string(), z.unknown()),
      items: z.array(
        z.object({
          answers: z.array(
            z.object({ logprob: z.number(), greedy: z.boolean(), tokens: z.array(z.number()) }),
          ),
        }),
      ),
    }),
  ),
});

type Exchange = { request: LoglikelihoodRequest; answer: LoglikelihoodAnswer };

async function openModel(folder: string, exchanges: Exchange[]) {
  const source = openModelFolder(folder);
  const architecture = folderArchitecture(source);
  const tokenizer = loadTokenizer(folder);
  const device = await openDevice({ name: 'cpu' });
  const plan = planFrozen(architecture.parameters, 'cpu');
  const store = await createStore(device, plan, source.tensors.readInto);
  const scorer = createScorer(device, architecture);
  const prefixId = findBos(folder, tokenizer).id;
  const addBos = tokenizerAddsBos(folder);
  const inner = scoredModel({
    tokenizer,
    prefixId,
    addBos,
    maxLength: architecture.contextLength,
    stopIds: findEos(folder, tokenizer),
    score: (rows) => scorer.score(store.weights, rows),
    generateGreedy: () => Promise.reject(new Error('No task here generates.')),
  });
  const model: LanguageModel = {
    ...inner,
    loglikelihood: async (requests) => {
      const answers = await inner.loglikelihood(requests);
      for (const [i, request] of requests.entries()) {
        exchanges.push({ request, answer: defined(answers[i], 'answer') });
      }
      return answers;
    },
  };
  const tokensOf = ({ context, continuation }: LoglikelihoodRequest): number[] =>
    continuationTokens(tokenizer, context, continuation, prefixId, addBos).continuation;
  return { model, tokensOf, prefixId, maxLength: architecture.contextLength };
}

function openTask(name: string, data: string, limit: number | undefined): Task {
  const readyMade = ['arc_easy', 'arc_challenge', 'hellaswag'].includes(name);
  const ours = readyMade ? 'ready_made' : name.startsWith('blimp_') ? 'blimp' : name;
  const file = join(import.meta.dirname, `../media/tasks/${ours}.yaml`);
  const task = loadTask(file, { task: name, data: resolve(data) });
  return { ...task, items: task.items.slice(0, limit) };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { task: { type: 'string', multiple: true }, limit: { type: 'string' } },
  });
  const [folder, oracleFile] = positionals;
  const oracle = oracleSchema.parse(
    JSON.parse(readFileSync(defined(oracleFile, 'oracle file'), 'utf8')),
  );
  const exchanges: Exchange[] = [];
  const { model, tokensOf, prefixId, maxLength } = await openModel(
    defined(folder, 'model folder'),
    exchanges,
  );
  let same = prefixId === oracle.prefix_token && maxLength === oracle.max_length;
  if (!same) console.log(`prefix ${prefixId} and context ${maxLength} differ from the oracle's`);
  console.log(`lm-evaluation-harness ${oracle.lm_eval}`);

  for (const entry of values.task ?? []) {
    const name = entry.slice(0, entry.indexOf('='));
    const limit = values.limit === undefined ? undefined : Number(values.limit);
    const theirs = defined(oracle.tasks[name], `task ${name} in the oracle`);
    exchanges.length = 0;
    const task = openTask(name, entry.slice(name.length + 1), limit);
    const results = await evaluateTask(task, model);
    const answers = theirs.items.flatMap((item) => item.answers);
    same &&= answers.length === exchanges.length && answers.length > 0;

    let worst = 0;
    let beyond = 0;
    let greedy = 0;
    let tokens = 0;
    for (const [i, { request, answer }] of exchanges.entries()) {
      const other = defined(answers[i], 'answer of the oracle');
      const difference = Math.abs(answer.logprob - other.logprob);
      worst = Math.max(worst, difference);
      const allowed = absoluteTolerance + relativeTolerance * Math.abs(other.logprob);
      // A NaN is beyond any tolerance.
      if (!(difference <= allowed)) beyond++;
      if (answer.greedy !== other.greedy) greedy++;
      if (tokensOf(request).join() !== other.tokens.join()) tokens++;
    }
    const scores = results.map(({ metric, score }) => {
      const other = z.number().parse(theirs.scores[metric]);
      same &&= Math.abs(score - other) <= 1e-5 * Math.abs(other);
      return `${metric} ${score.toFixed(4)} / ${other.toFixed(4)}`;
    });
    same &&= beyond + greedy + tokens === 0;
    console.log(
      `${name}: ${task.items.length} items, ${exchanges.length} log-likelihoods, ` +
        `worst difference ${worst.toExponential(1)} nats, ${beyond} beyond tolerance, ` +
        `${greedy} greedy flags and ${tokens} tokenizations differ; ours / theirs: ${scores.join(', ')}`,
    );
  }
  console.log(same ? 'The same.' : 'NOT the same.');
  return same ? 0 : 1;
}

process.exitCode = await main();
