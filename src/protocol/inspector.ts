/**
 * The contract between the host and the sample inspector. Of thousands of samples the page gets a
 * summary each; tokens and their log-probabilities come when a sample is shown.
 */
import { z } from 'zod';
import { untilSchema } from './engine.js';
import type { Contract } from './rpc.js';
import { runInfoSchema } from './runInfo.js';
import {
  bosTokenSchema,
  sampleRecordSchema,
  samplesVerdictSchema,
  setDiagnosticsSchema,
} from './records.js';

const count = z.int().nonnegative();
const runId = z.string();

export const sampleSummarySchema = z.object({
  /** Number of the sample in its set. */
  index: count,
  text: z.string(),
  /** Tokens, the EOS token included. */
  length: count,
  /** Mean log-probability per token, in nats. */
  meanLogprob: z.number(),
  /** Share of 4-grams that occurred earlier in the sample. */
  repetition: z.number(),
  stop: sampleRecordSchema.shape.stop,
});
export type SampleSummary = z.infer<typeof sampleSummarySchema>;

export const sampleTokensSchema = z.object({
  index: count,
  /** The text of each token, and log p(token | what came before) in nats. */
  pieces: z.array(z.string()),
  logprobs: z.array(z.number()),
});
export type SampleTokens = z.infer<typeof sampleTokensSchema>;

const inspectorStateSchema = z.object({
  /** Runs that have samples or will have, the newest first. */
  runs: z.array(runInfoSchema),
  /** The run whose samples are shown. */
  selected: runId.optional(),
  bos: bosTokenSchema.optional(),
  verdict: samplesVerdictSchema.optional(),
  /** Numbers about the whole set, once it is complete. */
  diagnostics: setDiagnosticsSchema.optional(),
  excluded: z.array(count),
  /** Why the exclusions cannot be changed any more; absent while they can. */
  settled: z.string().optional(),
});
export type InspectorState = z.infer<typeof inspectorStateSchema>;

/** What the host answers and tells. */
export const inspectorHostContract = {
  requests: {
    /** The page is up: `state` and all `samples` follow as events. */
    open: { params: z.object({ selected: runId.optional() }), result: z.object({}) },
    select: { params: z.object({ runId }), result: z.object({}) },
    tokens: {
      params: z.object({ runId, indices: z.array(count).max(200) }),
      result: z.object({ samples: z.array(sampleTokensSchema) }),
    },
    exclude: {
      params: z.object({ runId, indices: z.array(count), excluded: z.boolean() }),
      result: z.object({ excluded: z.array(count) }),
    },
    /** Generates the samples again from another BOS token, as a new run; asks for it if absent. */
    changeBos: {
      params: z.object({ runId, tokenId: count.optional() }),
      result: z.object({ runId: runId.optional() }),
    },
    /** Generates samples for a dataset: opens the mix page. */
    openMix: { params: z.object({}), result: z.object({}) },
    /** Generates the samples that are missing; `end`: trains on them, too. */
    resume: { params: z.object({ runId, until: untilSchema }), result: z.object({}) },
  },
  events: {
    state: inspectorStateSchema,
    /** More samples of the selected run; with `first`, what the page has is dropped before. */
    samples: z.object({ runId, first: z.boolean(), samples: z.array(sampleSummarySchema) }),
  },
} satisfies Contract;
export type InspectorHostContract = typeof inspectorHostContract;

/** What the page answers and tells: nothing. */
export const inspectorPageContract = { requests: {}, events: {} } satisfies Contract;
export type InspectorPageContract = typeof inspectorPageContract;
