/**
 * Context-free samples: the model writes with nothing before it but its BOS token. Rows of the
 * decoder take up the next sample as soon as theirs has ended, so none waits for the longest.
 *
 * A sample depends on the seed, its own number and the model alone: every sample draws from its own
 * stream of random numbers and starts at the beginning of a run. So a generation that was killed
 * resumes with the numbers that are missing. For one batch size the samples come out the same to
 * the last bit; for another one, matrix products may round differently, and where a draw falls
 * within that rounding of a boundary between two tokens the sample goes another way.
 */
import { CfsError, defined } from '../errors.js';
import { idle, stepsPerRun, type Decoder, type Steps } from '../model/decoder.js';
import type { Tokenizer } from '../model/tokenizer.js';
import { createRandom, type Random } from '../random.js';
import type { Sample, StopReason } from './samples.js';

export interface GenerateOptions {
  /** Made with the requested temperature, top-k and top-p; not to be shared until this ends. */
  decoder: Decoder;
  tokenizer: Tokenizer;
  /** What samples begin with: number i with token i modulo so many. */
  bosIds: readonly number[];
  eosIds: readonly number[];
  /** Samples 0 … count − 1 are generated, */
  count: number;
  /** except these, which exist already. */
  skip?: ReadonlySet<number>;
  seed: number;
  /** Longest sample in tokens, the BOS token not counted. */
  maxLength: number;
  /** Without it the model continues after an EOS token, up to the maximum length. */
  stopAtEos: boolean;
  /** Ends the generation between two runs of the decoder; samples under way are dropped. */
  signal?: AbortSignal;
  /** Called after each run of the decoder, before the samples that have ended in it come out. */
  onRun?: (written: Written) => void;
}

/** What a run of the decoder has written, and what is still to be written. */
export interface Written {
  /** Tokens that each row has written in it at most. */
  steps: number;
  /** Tokens written in it, over all samples. */
  tokens: number;
  /** The tokens so far of each sample that goes on. */
  drafts: number[];
  /** Samples that have not been begun. */
  waiting: number;
}

/** A sample that is being written. */
interface Draft {
  index: number;
  bosId: number;
  random: Random;
  tokens: number[];
  logprobs: number[];
  entropySum: number;
}

/** Samples as they are completed: not in the order of their numbers. Throws `MAX_LENGTH_INVALID`. */
export async function* generate(options: GenerateOptions): AsyncGenerator<Sample, void> {
  const { decoder, maxLength, signal, onRun } = options;
  checkLength(maxLength, decoder.maxTokens);
  const waiting = missingIndices(options);
  const drafts = new Array<Draft | undefined>(decoder.batch).fill(undefined);

  while (signal?.aborted !== true) {
    drafts.forEach((draft, row) => {
      if (draft) return;
      decoder.clear(row);
      drafts[row] = startDraft(waiting.shift(), options);
    });
    const active = drafts.filter((draft) => draft !== undefined);
    if (active.length === 0) return;

    const last = Int32Array.from(drafts, (draft) =>
      draft ? (draft.tokens.at(-1) ?? draft.bosId) : idle,
    );
    const steps = stepsUntilAllEnd(active, maxLength);
    const result = await decoder.run(last, steps, drawUniforms(drafts, steps));
    const ended: Sample[] = [];
    let tokens = 0;
    for (const [row, draft] of drafts.entries()) {
      if (!draft) continue;
      const before = draft.tokens.length;
      const stop = extend(draft, result, row, options);
      tokens += draft.tokens.length - before;
      if (!stop) continue;
      drafts[row] = undefined;
      ended.push(finish(draft, stop, options));
    }
    const going = drafts.flatMap((draft) => (draft ? [draft.tokens.length] : []));
    onRun?.({ steps, tokens, drafts: going, waiting: waiting.length });
    yield* ended;
  }
}

function missingIndices({ count, skip }: GenerateOptions): number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  return skip ? all.filter((index) => !skip.has(index)) : all;
}

function startDraft(
  index: number | undefined,
  { seed, bosIds }: GenerateOptions,
): Draft | undefined {
  if (index === undefined) return undefined;
  const bosId = defined(bosIds[index % bosIds.length], 'BOS token');
  const random = createRandom(seed, index);
  return { index, bosId, random, tokens: [], logprobs: [], entropySum: 0 };
}

/** Fewer than usual only when no row will go on after this run, so that runs stay aligned. */
function stepsUntilAllEnd(active: Draft[], maxLength: number): number {
  return Math.min(stepsPerRun, Math.max(...active.map(({ tokens }) => maxLength - tokens.length)));
}

/** `[steps, batch]`; each row's from its own sample's stream. */
function drawUniforms(drafts: readonly (Draft | undefined)[], steps: number): Float32Array {
  const uniforms = new Float32Array(steps * drafts.length);
  drafts.forEach((draft, row) => {
    if (!draft) return;
    for (let step = 0; step < steps; step++) {
      uniforms[step * drafts.length + row] = draft.random.uniform();
    }
  });
  return uniforms;
}

/** Takes up what a run wrote, up to the sample's end; says why it ended, if it did. */
function extend(
  draft: Draft,
  result: Steps,
  row: number,
  { decoder, eosIds, stopAtEos, maxLength }: GenerateOptions,
): StopReason | undefined {
  for (let step = 0; step < result.steps; step++) {
    const at = step * decoder.batch + row;
    const token = defined(result.tokens[at], 'token');
    draft.tokens.push(token);
    draft.logprobs.push(defined(result.logprobs[at], 'log-probability'));
    draft.entropySum += defined(result.entropies[at], 'entropy');
    if (stopAtEos && eosIds.includes(token)) return 'eos';
    if (draft.tokens.length === maxLength) return 'length';
  }
  return undefined;
}

function finish(draft: Draft, stop: StopReason, { tokenizer }: GenerateOptions): Sample {
  const { index, bosId, tokens, logprobs, entropySum } = draft;
  return {
    index,
    bosId,
    tokens,
    text: tokenizer.decode(tokens),
    pieces: tokens.map((token) => tokenizer.tokenText(token)),
    logprobs,
    entropy: entropySum / tokens.length,
    stop,
  };
}

function checkLength(maxLength: number, maxTokens: number): void {
  if (Number.isInteger(maxLength) && maxLength >= 1 && maxLength <= maxTokens) return;
  throw new CfsError({
    code: 'MAX_LENGTH_INVALID',
    message: `Samples of ${maxLength} tokens were requested; this model can write 1 to ${maxTokens}.`,
    remedy: `Set the maximum length to a whole number from 1 to ${maxTokens}.`,
    place: { field: 'maxLength' },
  });
}
