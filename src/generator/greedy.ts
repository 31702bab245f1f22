/**
 * Greedy continuations of prompts, for tasks that read what a model answers. Prompts of like length
 * are read and continued together.
 */
import { CfsError, defined } from '../errors.js';
import { idle, stepsPerRun, type Decoder } from '../model/decoder.js';

export interface GreedyOptions {
  /** Made with `sampling: 'greedy'`. */
  decoder: Decoder;
  /** Most tokens to write after each prompt. */
  maxTokens: number;
  /** Tokens that end a continuation; they are its last. */
  stopIds: readonly number[];
  /**
   * Asked now and then with the tokens of a continuation so far; true ends it. What was written
   * beyond the place the caller has in mind is left to the caller to cut.
   */
  shouldStop?: (prompt: number, tokens: readonly number[]) => boolean;
  signal?: AbortSignal;
}

/**
 * The continuation of each prompt (at least one token each). A prompt that leaves no room for
 * `maxTokens` more loses tokens at its start. Throws `MAX_LENGTH_INVALID`.
 */
export async function greedy(
  prompts: readonly (readonly number[])[],
  options: GreedyOptions,
): Promise<number[][]> {
  const { decoder, maxTokens, signal } = options;
  const room = decoder.maxTokens - maxTokens;
  if (room < 1) {
    throw new CfsError({
      code: 'MAX_LENGTH_INVALID',
      message: `${maxTokens} tokens were requested; this model handles ${decoder.maxTokens}, the prompt included.`,
      remedy: `Ask for fewer than ${decoder.maxTokens} tokens.`,
      place: { field: 'maxTokens' },
    });
  }
  const cut = prompts.map((prompt) => prompt.slice(-room));
  const written = prompts.map((): number[] => []);
  const lengthOf = (index: number): number => cut[index]?.length ?? 0;
  const order = [...cut.keys()].sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  for (let from = 0; from < order.length && signal?.aborted !== true; from += decoder.batch) {
    await continueTogether(cut, written, order.slice(from, from + decoder.batch), options);
  }
  return written;
}

async function continueTogether(
  prompts: readonly (readonly number[])[],
  written: number[][],
  wave: readonly number[],
  { decoder, maxTokens, stopIds, shouldStop, signal }: GreedyOptions,
): Promise<void> {
  const rows = Array.from({ length: decoder.batch }, (_, row) => wave[row]);
  rows.forEach((_, row) => decoder.clear(row));
  const promptOf = (index: number | undefined): readonly number[] =>
    index === undefined ? [] : defined(prompts[index], 'prompt');
  // The last token of a prompt is read by the run that writes the first token after it.
  await decoder.prefill(rows.map((index) => promptOf(index).slice(0, -1)));
  const last = Int32Array.from(rows, (index) => promptOf(index).at(-1) ?? idle);

  for (let done = 0; done < maxTokens && signal?.aborted !== true;) {
    if (last.every((token) => token === idle)) return;
    const steps = Math.min(stepsPerRun, maxTokens - done);
    const result = await decoder.run(last, steps, new Float32Array(steps * decoder.batch));
    done += steps;
    rows.forEach((index, row) => {
      if (index === undefined || last[row] === idle) return;
      const tokens = defined(written[index], 'continuation');
      for (let step = 0; step < steps; step++) {
        const token = defined(result.tokens[step * decoder.batch + row], 'token');
        tokens.push(token);
        last[row] = token;
        if (stopIds.includes(token)) {
          last[row] = idle;
          return;
        }
      }
      if (shouldStop?.(index, tokens) === true) last[row] = idle;
    });
  }
}
