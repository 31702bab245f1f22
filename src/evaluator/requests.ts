/**
 * From text to tokens, by the rules of lm-evaluation-harness. Published scores depend on these few
 * lines: where the context ends and the continuation begins, what replaces an empty context,
 * and what is cut away when the model's context is too short.
 */
import { CfsError } from '../errors.js';
import type { TokenRow } from '../model/batch.js';
import type { Tokenizer } from '../model/tokenizer.js';

/** A request as token ids: `context` is never empty. */
export interface TokenPair {
  context: number[];
  continuation: number[];
}

/**
 * The tokens of `continuation` after `context` (lm-evaluation-harness, `_encode_pair`): trailing
 * spaces of the context move to the continuation, whose tokens are then
 * `encode(context + continuation)[len(encode(context)):]`. An empty context is `prefixId` (BOS, else
 * EOS). With `addBos`, for tokenizers whose own encoding begins with BOS (Llama), `prefixId` also
 * precedes a context that is not empty.
 */
export function continuationTokens(
  tokenizer: Tokenizer,
  context: string,
  continuation: string,
  prefixId: number,
  addBos = false,
): TokenPair {
  const head = withoutTrailingSpaces(context);
  const whole = tokenizer.encode(context + continuation);
  if (head === '') {
    // A continuation that itself begins with the prefix token already holds its context.
    const [first, ...rest] = whole;
    return first === prefixId
      ? { context: [prefixId], continuation: rest }
      : { context: [prefixId], continuation: whole };
  }
  const headTokens = tokenizer.encode(head);
  return {
    context: addBos ? [prefixId, ...headTokens] : headTokens,
    continuation: whole.slice(headTokens.length),
  };
}

/**
 * The row that scores a pair. Too long for the model, it loses tokens from the left until
 * `maxLength + 1` are left; the last of them is a target only, never an input.
 * Throws `CONTINUATION_TOO_LONG` when more than `maxLength` tokens would have to be scored.
 */
export function scoringRow(pair: TokenPair, maxLength: number): TokenRow {
  const { context, continuation } = pair;
  if (continuation.length > maxLength) {
    throw new CfsError({
      code: 'CONTINUATION_TOO_LONG',
      message:
        `An answer to be scored has ${continuation.length} tokens; ` +
        `the model's context holds ${maxLength}.`,
      remedy: 'Shorten the longest answers of the task, or leave these items out of its data.',
    });
  }
  const ids = Int32Array.from([...context, ...continuation]).slice(-(maxLength + 1));
  return rowOf(ids, continuation.length);
}

/**
 * The rows that score every token of a text once (`get_rolling_token_windows` with context length
 * 1): the first window begins with `prefixId`; each later one predicts up to `maxLength` new tokens
 * and takes as many tokens before them as fit. Rows have at most `maxLength + 1` tokens.
 */
export function rollingRows(
  tokens: readonly number[],
  prefixId: number,
  maxLength: number,
): TokenRow[] {
  const rows: TokenRow[] = [];
  for (let done = 0; done < tokens.length;) {
    const end = Math.min(done + maxLength, tokens.length);
    const window =
      done === 0 ? [prefixId, ...tokens.slice(0, end)] : tokens.slice(end - maxLength - 1, end);
    rows.push(rowOf(Int32Array.from(window), end - done));
    done = end;
  }
  return rows;
}

function rowOf(ids: Int32Array, targets: number): TokenRow {
  const supervised = new Uint8Array(ids.length).fill(1, ids.length - targets);
  return { ids, supervised };
}

/** Python's `str.rstrip()`, which differs from `trimEnd` in a few characters. */
function withoutTrailingSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && isPythonSpace(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function isPythonSpace(character: string): boolean {
  if ('\x1c\x1d\x1e\x1f\x85'.includes(character)) return true;
  return /\s/.test(character) && character !== '\uFEFF';
}
