/**
 * What one sample is like, from its record alone: for the diagnostics of a set, the verdict, and the
 * list of the inspector.
 */
import type { SampleSummary } from '../protocol/inspector.js';
import type { SampleRecord } from '../protocol/records.js';

/** Of a record with at least one token, as every sample has. */
export function summarizeSample(record: SampleRecord): SampleSummary {
  const { index, text, tokens, logprobs, stop } = record;
  return {
    index,
    text,
    length: tokens.length,
    meanLogprob: mean(logprobs),
    repetition: 1 - distinctShare([tokens], 4),
    stop,
  };
}

/** Distinct n-grams over all n-grams of the sequences; 1 where they are too short to have any. */
export function distinctShare(sequences: readonly (readonly number[])[], n: number): number {
  const seen = new Set<string>();
  let total = 0;
  for (const tokens of sequences) {
    for (let start = 0; start + n <= tokens.length; start++) {
      seen.add(tokens.slice(start, start + n).join(' '));
      total++;
    }
  }
  return total === 0 ? 1 : seen.size / total;
}

/** NaN for an empty list. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
