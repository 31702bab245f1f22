/**
 * A run as a list, a tree or a page shows it: drawn from its folder by the host, and the same for
 * the sidebar, the panel and the status bar.
 */
import { z } from 'zod';
import { errorRecordSchema, phases } from './records.js';

/** What the folder says of a run; see `runState` in `runs/runFolder.ts`. */
const runStates = ['running', 'interrupted', 'stopped', 'finished', 'failed'] as const;
export type RunState = (typeof runStates)[number];

export const runInfoSchema = z.object({
  id: z.string(),
  /** Absolute. */
  folder: z.string(),
  /** `queued`: waits in this window for another run to end. */
  state: z.enum([...runStates, 'queued']),
  /** The name people gave it; the id where the configuration cannot be read. */
  name: z.string(),
  /** Its name; see `src/methods`. */
  method: z.string().optional(),
  /** Absolute paths. */
  model: z.string().optional(),
  datasets: z.array(z.string()),
  /** When it was made, ISO 8601 in UTC; from the name of its folder. */
  created: z.string(),
  /** What it does, or did last. */
  phase: z.enum(phases).optional(),
  /** Of that phase: units of work done and in all; total 0 when it is not known. */
  progress: z.number(),
  total: z.number(),
  step: z.int(),
  /** Of samples, written in this session; those that have not ended yet count too. */
  tokens: z.int().optional(),
  /** The phase has begun, but nothing of it is done yet: sessions are being made. */
  starting: z.boolean().optional(),
  /** Null while they cannot be told. */
  tokensPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
  /** Time worked until its last event, over all sessions. */
  secondsWorked: z.number(),
  samples: z.int(),
  /** Steps of the checkpoints, the newest first. */
  checkpoints: z.array(z.int()),
  hasReport: z.boolean(),
  hasModel: z.boolean(),
  /** Whether a training step has been taken: the samples are settled from then on. */
  trained: z.boolean(),
  /** What of its folder is damaged or cannot be read; otherwise why it failed or was interrupted. */
  problem: errorRecordSchema.optional(),
});
export type RunInfo = z.infer<typeof runInfoSchema>;

/** What people may do with a run, offered alike by the tree, the pages and the palette. */
export const runActions = ['stop', 'resume', 'report', 'reveal', 'configure', 'delete'] as const;
export type RunAction = (typeof runActions)[number];
