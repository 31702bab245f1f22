/**
 * What tasks will ask of a model, found by asking a model that only counts: the same code makes the
 * same requests, so every rule of prompts, choices and windows holds here too.
 */
import { evaluateTask } from '../../evaluator/evaluate.js';
import type { MetricResult } from '../../evaluator/results.js';
import { scoredModel } from '../../evaluator/scoredModel.js';
import { subsetOf, type Task } from '../../evaluator/task.js';
import { countSupervised } from '../../model/batch.js';
import type { Model } from '../model.js';
import type { Requests, ScoredRows, WrittenRows } from '../work.js';

/** Items that are looked at; the others are like them. */
const sampled = 200;

/** The requests of a whole task. Throws what asking its questions throws. */
export async function requestsOf(task: Task, model: Model, seed: number): Promise<Requests> {
  const { tokenizer, architecture, bos, eosIds, addsBos } = model;
  const looked = subsetOf(task, sampled, seed);
  const share = task.items.length / looked.items.length;
  const scored: ScoredRows[] = [];
  const written: WrittenRows[] = [];
  const results = await evaluateTask(
    looked,
    scoredModel({
      tokenizer,
      prefixId: bos.id,
      addBos: addsBos,
      maxLength: architecture.contextLength,
      stopIds: eosIds,
      score: (rows) => {
        const scores = rows.map((row) => {
          const targets = countSupervised(row);
          scored.push({ tokens: row.ids.length, targets, rows: share });
          return { logprob: new Float32Array(targets), greedy: new Uint8Array(targets) };
        });
        return Promise.resolve(scores);
      },
      generateGreedy: (prompts, { maxTokens }) => {
        for (const prompt of prompts) {
          written.push({ prompt: prompt.length, tokens: maxTokens, rows: share });
        }
        return Promise.resolve(prompts.map(() => []));
      },
    }),
  );
  return {
    items: task.items.length,
    scored,
    written: written.map((row, i) => ({ ...row, tokens: expected(results, i, row.tokens, model) })),
  };
}

/** An answer is as long as the one that is right, and what makes it end. */
function expected(results: MetricResult[], item: number, most: number, model: Model): number {
  const answer = results[0]?.items[item]?.answer;
  if (answer === undefined || !('target' in answer)) return most;
  return Math.min(most, model.tokenizer.encode(answer.target).length + 1);
}
