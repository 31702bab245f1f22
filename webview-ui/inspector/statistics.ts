/**
 * Numbers about all samples generated so far, from their summaries alone, so that they are there while
 * the set is still being generated; the host adds those that need every token once it is complete.
 */
import type { SampleSummary } from '../../src/protocol/inspector.js';

export interface Quartiles {
  min: number;
  q25: number;
  median: number;
  q75: number;
  max: number;
}

export interface Statistics {
  samples: number;
  tokens: number;
  /** exp(−mean log-probability over all tokens). */
  perplexity: number;
  meanLength: number;
  meanRepetition: number;
  /** Share of samples that ended with an EOS token. */
  ended: number;
  length: Quartiles;
  meanLogprob: Quartiles;
}

/** Nothing for an empty set. */
export function describeSamples(samples: readonly SampleSummary[]): Statistics | undefined {
  if (samples.length === 0) return undefined;
  const tokens = sum(samples.map(({ length }) => length));
  const logprob = sum(samples.map(({ meanLogprob, length }) => meanLogprob * length));
  const share = (part: number): number => part / samples.length;
  return {
    samples: samples.length,
    tokens,
    perplexity: Math.exp(-logprob / tokens),
    meanLength: share(tokens),
    meanRepetition: share(sum(samples.map(({ repetition }) => repetition))),
    ended: share(samples.filter(({ stop }) => stop === 'eos').length),
    length: quartiles(samples.map(({ length }) => length)),
    meanLogprob: quartiles(samples.map(({ meanLogprob }) => meanLogprob)),
  };
}

/** By linear interpolation between neighbours; all NaN for an empty list. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? NaN;
    const above = sorted[Math.ceil(position)] ?? NaN;
    return below + (above - below) * (position - Math.floor(position));
  };
  return { min: at(0), q25: at(0.25), median: at(0.5), q75: at(0.75), max: at(1) };
}

/** How many values fall into each of `bins` equal parts between the least and the greatest. */
export function histogram(values: readonly number[], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const width = values.reduce((a, b) => Math.max(a, b), -Infinity) - least;
  for (const value of values) {
    const bin = width > 0 ? Math.min(bins - 1, Math.floor(((value - least) / width) * bins)) : 0;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
