/**
 * What a process that is measured from its start is asked to do, ours (`starter.ts`) and the peer's
 * (`../peers/torchStart.py`) alike, and what each of them tells.
 */
import { z } from 'zod';

export const works = ['sample', 'score', 'step'] as const;
export type Work = (typeof works)[number];

const count = z.int().positive();

export const startSchema = z.object({
  /** A Hugging Face folder with a tokenizer. */
  folder: z.string(),
  threads: count,
  /** `sample`: texts from BOS; `score`: the log-probability of rows; `step`: an AdamW step. */
  work: z.enum(works),
  /** Whether the process is to train, and so keeps gradients and moments. */
  trains: z.boolean(),
  /** Texts that are sampled, side by side, and their tokens after BOS. */
  samples: count,
  tokens: count,
  /** What is scored or trained on, rows of one length: token ids; all but a row's first are targets. */
  rows: z.array(z.array(z.int())),
});
export type StartRequest = z.infer<typeof startSchema>;

/** One line of stdout each: when the weights are in memory, and when the work is done. */
export const markSchema = z.object({
  mark: z.enum(['loaded', 'done']),
  /** Highest resident bytes so far. */
  peakBytes: z.number(),
  /** Page faults so far that took memory, and that took the disk. */
  minorFaults: z.number(),
  majorFaults: z.number(),
  /** Processor time so far. */
  userSeconds: z.number(),
  systemSeconds: z.number(),
  /** Of a decoder's keys and values; ours only. */
  cacheBytes: z.number().optional(),
  /** Log-probability of all targets, or the loss before the step; undefined for samples. */
  result: z.number().optional(),
});
export type Mark = z.infer<typeof markSchema>;
