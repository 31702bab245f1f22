/** Small tokenizers and models whose every number can be worked out by hand. */
import { defined } from '../../../src/errors.js';
import type { TaskDefinition } from '../../../src/evaluator/taskSchema.js';
import { parseDefinition } from '../../../src/evaluator/task.js';
import type {
  GenerateRequest,
  LanguageModel,
  LoglikelihoodRequest,
} from '../../../src/evaluator/languageModel.js';
import type { LoglikelihoodAnswer } from '../../../src/evaluator/results.js';
import type { ScoredModelOptions } from '../../../src/evaluator/scoredModel.js';
import type { TokenRow } from '../../../src/model/batch.js';
import type { Tokenizer } from '../../../src/model/tokenizer.js';

/** A tokenizer that takes the longest known piece at each place; id = position in `pieces`. */
export function pieceTokenizer(pieces: string[]): Tokenizer {
  const byLength = [...pieces].sort((a, b) => b.length - a.length);
  const encode = (text: string): number[] => {
    const ids: number[] = [];
    for (let at = 0; at < text.length;) {
      const piece = defined(
        byLength.find((p) => text.startsWith(p, at)),
        `piece at "${text.slice(at)}"`,
      );
      ids.push(pieces.indexOf(piece));
      at += piece.length;
    }
    return ids;
  };
  return {
    vocabSize: pieces.length,
    encode,
    encodeWithSpecials: encode,
    decode: (ids) => ids.map((id) => defined(pieces[id], 'piece')).join(''),
    tokenText: (id) => defined(pieces[id], 'piece'),
    idOf: (token) => (pieces.includes(token) ? pieces.indexOf(token) : undefined),
    chatTemplate: undefined,
  };
}

/** A bigram model: `table[previous][next]` are probabilities. Records the rows it was asked. */
export function bigramFunctions(
  table: number[][],
): Pick<ScoredModelOptions, 'score' | 'generateGreedy'> & { asked: TokenRow[] } {
  const asked: TokenRow[] = [];
  const row = (previous: number): number[] => defined(table[previous], 'row');
  const best = (previous: number): number => row(previous).indexOf(Math.max(...row(previous)));
  const score = (rows: TokenRow[]): ReturnType<ScoredModelOptions['score']> => {
    asked.push(...rows);
    return Promise.resolve(
      rows.map(({ ids, supervised }) => {
        const targets = [...ids.keys()].filter((i) => supervised[i] === 1);
        const pairs = targets.map(
          (i) => [defined(ids[i - 1], 'id'), defined(ids[i], 'id')] as const,
        );
        return {
          logprob: Float32Array.from(pairs, ([a, b]) => Math.log(defined(row(a)[b], 'p'))),
          greedy: Uint8Array.from(pairs, ([a, b]) => (best(a) === b ? 1 : 0)),
        };
      }),
    );
  };
  const generateGreedy: ScoredModelOptions['generateGreedy'] = (prompts, options) =>
    Promise.resolve(
      prompts.map((prompt) => {
        const ids: number[] = [];
        while (ids.length < options.maxTokens) {
          const next = best(defined(ids.at(-1) ?? prompt.at(-1), 'previous'));
          ids.push(next);
          if (options.stopIds.includes(next) || options.shouldStop(ids)) break;
        }
        return ids;
      }),
    );
  return { asked, score, generateGreedy };
}

/** A model that answers by rule and keeps what it was asked. */
export function ruleModel(rules: {
  loglikelihood?: (request: LoglikelihoodRequest) => LoglikelihoodAnswer;
  rolling?: (text: string) => { logprob: number; tokens: number };
  generate?: (request: GenerateRequest) => string;
}): LanguageModel & { requests: LoglikelihoodRequest[]; generations: GenerateRequest[] } {
  const requests: LoglikelihoodRequest[] = [];
  const generations: GenerateRequest[] = [];
  return {
    requests,
    generations,
    loglikelihood: (asked) => {
      requests.push(...asked);
      return Promise.resolve(asked.map(defined(rules.loglikelihood, 'rule')));
    },
    loglikelihoodRolling: (texts) => Promise.resolve(texts.map(defined(rules.rolling, 'rule'))),
    generateUntil: (asked) => {
      generations.push(...asked);
      return Promise.resolve(asked.map(defined(rules.generate, 'rule')));
    },
  };
}

/** A checked definition from fields. */
export function define(fields: Record<string, unknown>): TaskDefinition {
  return parseDefinition('{}', 'task.yaml', fields);
}

/** What `work` throws; undefined when it does not. */
export function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
