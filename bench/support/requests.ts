/**
 * What the benchmarks ask of our side, which runs in a process of its own just as the peers do
 * (`worker.ts`), and what it answers.
 */
import { z } from 'zod';

const count = z.int().positive();

/** Requests by command. */
export const requests = {
  /** Opens a model folder for training. Answers `trainer`. */
  trainer: z.object({
    folder: z.string(),
    threads: count,
    /** Tokens per line, and of one pass. */
    time: count,
    maxTokens: count,
    beta1: z.number(),
    beta2: z.number(),
    epsilon: z.number(),
    weightDecay: z.number(),
    /** Whether norms decay too. */
    decayVectors: z.boolean(),
    clip: z.number().positive(),
  }),
  /** One optimizer step. Answers `step`. */
  step: z.object({
    /** `supervised`: 1 for tokens that are targets, as in `TokenRow`. */
    rows: z.array(z.object({ ids: z.array(z.int()), supervised: z.array(z.int()) })),
    learningRate: z.number(),
  }),
  /** Answers `memory`. */
  memory: z.object({}),
  /** Plain products of two square float32 matrices. Answers `square`. */
  square: z.object({ size: count, repeats: count, threads: count }),
  /** Opens a model folder for sampling. Answers nothing. */
  decoder: z.object({
    folder: z.string(),
    threads: count,
    /** The token every row starts from. */
    bos: z.int(),
    /** Rows decoded together. */
    batch: count,
    /** Tokens made for each row, after its BOS. */
    tokens: count,
    sampling: z.enum(['greedy', 'whole']),
  }),
  /** Answers `generate`. */
  generate: z.object({ seed: z.int() }),
};
export type Requests = { [K in keyof typeof requests]: z.infer<(typeof requests)[K]> };

/** Answers by command; seconds are wall seconds. */
export const answers = {
  trainer: z.object({ parameters: z.number() }),
  step: z.object({
    /** Mean over all targets, in nats, and global gradient norm before clipping. */
    loss: z.number(),
    gradNorm: z.number(),
    /** Of the whole step, and of the optimizer in it. */
    seconds: z.number(),
    optimizer: z.number(),
  }),
  /** Resident bytes: the highest ever, and those before any model was opened. */
  memory: z.object({ peakBytes: z.number(), baselineBytes: z.number() }),
  square: z.object({ seconds: z.array(z.number()) }),
  decoder: z.object({}),
  generate: z.object({
    /** Of the generation alone, after a short one to warm up. */
    seconds: z.number(),
    /** `[batch][tokens]`; rows go on after EOS. */
    tokens: z.array(z.array(z.number())),
  }),
};
export type Answers = { [K in keyof typeof answers]: z.infer<(typeof answers)[K]> };
export type Command = keyof Requests;
