/** One context-free sample as the generator yields it and the diagnostics read it. */
import type { SampleRecord } from '../protocol/records.js';

/** Why a sample ended: the model generated an EOS token, or the maximum length was reached. */
export type StopReason = SampleRecord['stop'];

/** The record of `samples.jsonl`, with an entropy (NaN where the file could hold none). */
export type Sample = SampleRecord & { entropy: number };
