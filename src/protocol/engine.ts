/**
 * The messages between the host (the editor) and the engine (the process that runs a job), over
 * Node IPC. Each side parses what it receives, so that two versions of the extension that meet
 * after an update fail with a sentence and not with a crash.
 */
import { z } from 'zod';
import { errorRecordSchema, runEventSchema } from './records.js';

/** `samples`: end, resumably, when the samples are generated, so that people can read them first. */
export const untilSchema = z.enum(['samples', 'end']);
export type Until = z.infer<typeof untilSchema>;

/**
 * How long an engine may take to stop with a checkpoint, asked or left alone; a step and a checkpoint of
 * a large model take minutes. Then it is ended, and the run goes on from the checkpoint before.
 */
export const stopPatienceMs = 15 * 60_000;

/** Host → engine. */
export const engineRequestSchema = z.discriminatedUnion('type', [
  /** Run the job of a run folder from the beginning. */
  z.object({ type: z.literal('start'), runFolder: z.string(), until: untilSchema }),
  /** Resume from the folder's last checkpoint. */
  z.object({ type: z.literal('resume'), runFolder: z.string(), until: untilSchema }),
  /** Write a checkpoint and end. */
  z.object({ type: z.literal('stop') }),
]);
export type EngineRequest = z.infer<typeof engineRequestSchema>;

/** Engine → host. */
export const engineMessageSchema = z.discriminatedUnion('type', [
  /** The engine is up and waits for `start` or `resume`. */
  z.object({ type: z.literal('ready'), pid: z.int(), version: z.string() }),
  /** An event, already on disk. */
  z.object({ type: z.literal('event'), event: runEventSchema }),
  /** The job ended by itself or was stopped after a checkpoint; the process exits next. */
  z.object({ type: z.literal('finished'), stopped: z.boolean() }),
  /** The job failed; the process exits next. */
  z.object({ type: z.literal('failed'), error: errorRecordSchema }),
]);
export type EngineMessage = z.infer<typeof engineMessageSchema>;
