/**
 * Numbers that say what a set of samples is like before anybody trains on it: how sure the model
 * was, how varied the text is, whether it repeats itself. They are shown in the inspector and the
 * report, and the sanity verdict is decided from them.
 */
import type { SetDiagnostics, Spread } from '../protocol/records.js';
import type { Sample } from './samples.js';
import { distinctShare, mean, summarizeSample } from './summary.js';

export interface SampleDiagnostics {
  /** Generated tokens, the EOS token included. */
  length: number;
  /** Mean log-probability per token, in nats. */
  meanLogprob: number;
  /** exp(−meanLogprob). */
  perplexity: number;
  /** Mean predictive entropy per token, in nats. */
  entropy: number;
  /** Distinct n-grams over all n-grams of the sample; 1 where it is too short to have any. */
  distinct1: number;
  distinct2: number;
  distinct3: number;
  /** Share of 4-grams that occurred earlier in the sample. */
  repetition: number;
  /** Longest run of one token. */
  longestRun: number;
  /** Share of characters that are letters, marks, numbers, punctuation, symbols or white space. */
  printable: number;
}

export function diagnoseSample(sample: Sample): SampleDiagnostics {
  const { length, meanLogprob, repetition } = summarizeSample(sample);
  return {
    length,
    meanLogprob,
    perplexity: Math.exp(-meanLogprob),
    entropy: sample.entropy,
    distinct1: distinctShare([sample.tokens], 1),
    distinct2: distinctShare([sample.tokens], 2),
    distinct3: distinctShare([sample.tokens], 3),
    repetition,
    longestRun: longestRun(sample.tokens),
    printable: printableShare(sample.text),
  };
}

export function diagnoseSet(samples: readonly Sample[]): SetDiagnostics {
  const each = samples.map(diagnoseSample);
  const spreadOf = (key: keyof SampleDiagnostics): Spread => spread(each.map((d) => d[key]));
  const sequences = samples.map((sample) => sample.tokens);
  return {
    samples: samples.length,
    tokens: sequences.reduce((sum, tokens) => sum + tokens.length, 0),
    perSample: {
      length: spreadOf('length'),
      meanLogprob: spreadOf('meanLogprob'),
      perplexity: spreadOf('perplexity'),
      entropy: spreadOf('entropy'),
      distinct1: spreadOf('distinct1'),
      distinct2: spreadOf('distinct2'),
      distinct3: spreadOf('distinct3'),
      repetition: spreadOf('repetition'),
      longestRun: spreadOf('longestRun'),
      printable: spreadOf('printable'),
    },
    perplexity: Math.exp(-mean(samples.flatMap((sample) => sample.logprobs))),
    distinct1: distinctShare(sequences, 1),
    distinct2: distinctShare(sequences, 2),
    distinct3: distinctShare(sequences, 3),
    exactDuplicates: countRepeats(sequences.map((tokens) => tokens.join(' '))),
    nearDuplicates: countRepeats(samples.map((sample) => normalizeText(sample.text))),
    tokenEntropy: frequencyEntropy(sequences),
    stoppedByEos: mean(samples.map((sample) => (sample.stop === 'eos' ? 1 : 0))),
  };
}

/** Mean, extremes and quartiles (linear interpolation); all NaN for an empty list. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    mean: mean(values),
    min: quantile(sorted, 0),
    q25: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    q75: quantile(sorted, 0.75),
    max: quantile(sorted, 1),
  };
}

/** Share of characters a person can read; 1 for the empty text. */
export function printableShare(text: string): number {
  const characters = Array.from(text);
  if (characters.length === 0) return 1;
  const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\n\r\t]$/u;
  // U+FFFD is in class S but stands for bytes that were no text.
  const good = characters.filter((c) => c !== '\uFFFD' && printable.test(c));
  return good.length / characters.length;
}

function longestRun(tokens: readonly number[]): number {
  let longest = 0;
  let run = 0;
  tokens.forEach((token, i) => {
    run = i > 0 && token === tokens[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  });
  return longest;
}

function countRepeats(keys: readonly string[]): number {
  return keys.length - new Set(keys).size;
}

function normalizeText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

function frequencyEntropy(sequences: readonly (readonly number[])[]): number {
  const counts = new Map<number, number>();
  let total = 0;
  for (const tokens of sequences) {
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
    total += tokens.length;
  }
  return Array.from(counts.values()).reduce((sum, n) => sum - (n / total) * Math.log(n / total), 0);
}

function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position - Math.floor(position));
}
