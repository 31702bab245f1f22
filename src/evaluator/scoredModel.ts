/**
 * A model as tasks see it, made of two functions on tokens: one that scores rows and one that
 * continues prompts greedily. Everything about text stays on this side, everything about graphs on
 * the other.
 */
import { CfsError, assert, defined } from '../errors.js';
import type { TokenRow } from '../model/batch.js';
import type { Tokenizer } from '../model/tokenizer.js';
import type { GenerateRequest, LanguageModel } from './languageModel.js';
import type { LoglikelihoodAnswer } from './results.js';
import { continuationTokens, rollingRows, scoringRow } from './requests.js';

/** The targets of one row, in order. */
export interface RowScore {
  /** Log-probability of each target token, in nats, `[targets]`. */
  logprob: Float32Array;
  /** 1 where the target was the model's argmax, `[targets]`. */
  greedy: Uint8Array;
}

export interface GreedyOptions {
  maxTokens: number;
  /** Token ids that end a continuation; what comes back may end with one, or continue past it. */
  stopIds: number[];
  /** Asked now and then with all tokens written so far; what is written beyond is cut here. */
  shouldStop(ids: readonly number[]): boolean;
}

export interface ScoredModelOptions {
  tokenizer: Tokenizer;
  /** What replaces an empty context: BOS, else EOS. */
  prefixId: number;
  /** Whether the tokenizer's own encoding begins with BOS, as Llama's does. */
  addBos: boolean;
  /** Tokens that fit in the model's context. */
  maxLength: number;
  stopIds: number[];
  /**
   * Scores rows, which come longest first so that neighbours share a length. A row has at most
   * `maxLength + 1` tokens; the last one is a target only and need not be fed to the model.
   */
  score(rows: TokenRow[]): Promise<RowScore[]>;
  generateGreedy(prompts: number[][], options: GreedyOptions): Promise<number[][]>;
}

/**
 * The `LanguageModel` of a scoring and a generating function. Its calls throw
 * `CONTINUATION_TOO_LONG`, `CONTINUATION_EMPTY` or `GENERATION_TOO_LONG` for a task that the model
 * cannot answer.
 */
export function scoredModel(options: ScoredModelOptions): LanguageModel {
  const { tokenizer, prefixId, addBos, maxLength } = options;

  return {
    loglikelihood: async (requests) => {
      const rows = requests.map(({ context, continuation }) => {
        const pair = continuationTokens(tokenizer, context, continuation, prefixId, addBos);
        if (pair.continuation.length === 0) throw emptyContinuation(context, continuation);
        return scoringRow(pair, maxLength);
      });
      return (await scoreByLength(options, rows)).map(sumOf);
    },

    loglikelihoodRolling: async (texts) => {
      const rowsOfText = texts.map((text) =>
        rollingRows(tokenizer.encode(text), prefixId, maxLength),
      );
      const scores = await scoreByLength(options, rowsOfText.flat());
      let next = 0;
      return rowsOfText.map((rows) => {
        const parts = scores.slice(next, (next += rows.length)).map(sumOf);
        return {
          logprob: parts.reduce((sum, part) => sum + part.logprob, 0),
          tokens: parts.reduce((sum, part) => sum + part.tokens, 0),
        };
      });
    },

    generateUntil: async (requests) => {
      const texts = new Array<string>(requests.length);
      for (const group of groupBySettings(requests)) {
        const { until, maxTokens } = group.settings;
        const room = maxLength - maxTokens;
        if (room <= 0) throw generationTooLong(maxTokens, maxLength);
        const prompts = group.members.map((i) => {
          const { context } = defined(requests[i], 'request');
          return promptTokens(options, context).slice(-room);
        });
        const written = await options.generateGreedy(prompts, {
          maxTokens,
          stopIds: options.stopIds,
          shouldStop: (ids) =>
            until.length > 0 && cutAt(tokenizer.decode(ids), until) !== undefined,
        });
        assert(written.length === prompts.length, 'one continuation per prompt');
        for (const [k, ids] of written.entries()) {
          const end = ids.findIndex((id) => options.stopIds.includes(id));
          const text = tokenizer.decode(end < 0 ? ids : ids.slice(0, end));
          texts[defined(group.members[k], 'index')] = text.slice(0, cutAt(text, until));
        }
      }
      return texts;
    },
  };
}

/** Scores rows sorted longest first and puts the answers back in the caller's order. */
async function scoreByLength(options: ScoredModelOptions, rows: TokenRow[]): Promise<RowScore[]> {
  if (rows.length === 0) return [];
  const order = rows
    .map((row, index) => ({ row, index }))
    .sort((a, b) => b.row.ids.length - a.row.ids.length);
  const scores = await options.score(order.map(({ row }) => row));
  assert(scores.length === rows.length, 'one score per row');
  const sorted = new Array<RowScore>(rows.length);
  for (const [k, { index }] of order.entries()) sorted[index] = defined(scores[k], 'score');
  return sorted;
}

function sumOf({ logprob, greedy }: RowScore): LoglikelihoodAnswer {
  return {
    logprob: logprob.reduce((sum, value) => sum + value, 0),
    tokens: logprob.length,
    greedy: greedy.every((flag) => flag === 1),
  };
}

function promptTokens({ tokenizer, prefixId, addBos }: ScoredModelOptions, text: string): number[] {
  const tokens = tokenizer.encode(text);
  return addBos || tokens.length === 0 ? [prefixId, ...tokens] : tokens;
}

/** Where the first of the strings begins in `text`, if one occurs. */
function cutAt(text: string, until: readonly string[]): number | undefined {
  const found = until.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return found.length === 0 ? undefined : Math.min(...found);
}

interface RequestGroup {
  settings: { until: string[]; maxTokens: number };
  /** Indices into the requests. */
  members: number[];
}

function groupBySettings(requests: GenerateRequest[]): RequestGroup[] {
  const groups = new Map<string, RequestGroup>();
  for (const [i, { until, maxTokens }] of requests.entries()) {
    const key = JSON.stringify([until, maxTokens]);
    const group = groups.get(key) ?? { settings: { until, maxTokens }, members: [] };
    group.members.push(i);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function emptyContinuation(context: string, continuation: string): CfsError {
  return new CfsError({
    code: 'CONTINUATION_EMPTY',
    message:
      `The answer ${JSON.stringify(continuation)} has no token of its own ` +
      `after …${JSON.stringify(context.slice(-40))}.`,
    remedy: 'Give the item an answer that is not empty, or leave it out of the data.',
  });
}

function generationTooLong(maxTokens: number, maxLength: number): CfsError {
  return new CfsError({
    code: 'GENERATION_TOO_LONG',
    message: `The task lets the model write ${maxTokens} tokens; its context holds ${maxLength}.`,
    remedy: `Set generation.max_tokens of the task well below ${maxLength}.`,
  });
}
