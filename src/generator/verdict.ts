/**
 * The sanity check before training on samples: do they read like what the model was trained on, or
 * was it started with the wrong token? Decided from measured quantities, by comparing with samples
 * from the other tokens that could be the BOS token.
 *
 * The measurements behind the thresholds (24 samples of at most 96 tokens for each of 10 BOS
 * tokens, temperatures 0.7, 1 and 1.3, on `stories15M` and `stories260K`): the mean predictive
 * entropy of samples from BOS lay 0.54 to 0.91 nats below that of samples from EOS, `<unk>` or a
 * byte, which begin in the middle of a sentence; BOS tokens of one kind (EOS and `<unk>`; BOS and
 * the word that nearly always follows it) differed by at most 0.25. Repetition stayed below 0.05,
 * every character was printable, and the entropy never exceeded 0.31 of the highest possible,
 * ln(vocabulary); weights drawn at random come near to that.
 * Log-probabilities told the same, but move with the temperature, which entropy hardly does.
 */
import type { SamplesVerdict } from '../protocol/records.js';
import { diagnoseSample } from './diagnostics.js';
import type { Sample } from './samples.js';
import { mean } from './summary.js';

export interface BosSamples {
  tokenId: number;
  /** The token's text, for the reason. */
  token: string;
  samples: readonly Sample[];
}

/** Nats by which another BOS token's entropy must be lower; between 0.25 and 0.54, see above. */
const entropyGap = 0.4;
/** And by how many standard errors of that difference. */
const clearly = 3;
/** Above this share of ln(vocabulary) the model is hardly sure of anything. */
const highestEntropy = 0.6;
const highestRepetition = 0.5;
const lowestPrintable = 0.9;

/** Judges the samples of the chosen BOS token. `others` may be empty. */
export function judgeSamples(
  chosen: BosSamples,
  others: readonly BosSamples[],
  vocabSize: number,
): SamplesVerdict {
  const own = summarize(chosen.samples);
  const fault = faultOf(own, vocabSize);
  const better = others
    .map((other) => ({ ...other, summary: summarize(other.samples) }))
    .filter(({ summary }) => faultOf(summary, vocabSize) === undefined)
    .filter(({ summary }) => fault !== undefined || isClearlyLower(summary, own))
    .sort((a, b) => a.summary.entropy - b.summary.entropy)[0];
  if (better) {
    const why = fault ?? `mean entropy ${own.entropy.toFixed(2)} nats`;
    return {
      coherent: false,
      betterTokenId: better.tokenId,
      reason:
        `The samples look incoherent (${why}): is the BOS token wrong? Samples from “${better.token}” ` +
        `(${better.tokenId}) look better: mean entropy ${better.summary.entropy.toFixed(2)} nats.`,
    };
  }
  if (fault !== undefined) {
    return {
      coherent: false,
      reason: `The samples look incoherent (${fault}): is the BOS token wrong?`,
    };
  }
  const compared =
    others.length === 0
      ? 'no other BOS token to compare with'
      : `samples from ${others.map(({ token }) => `“${token}”`).join(' or ')} are no better`;
  return {
    coherent: true,
    reason: `Mean entropy ${own.entropy.toFixed(2)} nats; ${compared}.`,
  };
}

interface Summary {
  /** Mean over the samples of their mean predictive entropy, nats, and its standard error. */
  entropy: number;
  entropyError: number;
  repetition: number;
  printable: number;
}

function summarize(samples: readonly Sample[]): Summary {
  const each = samples.map(diagnoseSample);
  const entropies = each.map(({ entropy }) => entropy);
  const entropy = mean(entropies);
  const variance = mean(entropies.map((x) => (x - entropy) ** 2));
  return {
    entropy,
    entropyError: Math.sqrt(variance / Math.max(1, samples.length - 1)),
    repetition: mean(each.map(({ repetition }) => repetition)),
    printable: mean(each.map(({ printable }) => printable)),
  };
}

/** What is wrong with samples by themselves, if anything. */
function faultOf(summary: Summary, vocabSize: number): string | undefined {
  const { entropy, repetition, printable } = summary;
  const limit = highestEntropy * Math.log(vocabSize);
  if (!Number.isFinite(entropy)) return 'there are none';
  if (entropy > limit) return `mean entropy ${entropy.toFixed(2)} nats, above ${limit.toFixed(2)}`;
  if (repetition > highestRepetition) return `${percent(repetition)} of the 4-grams repeat`;
  if (printable < lowestPrintable) return `${percent(printable)} of the characters are printable`;
  return undefined;
}

function isClearlyLower(other: Summary, own: Summary): boolean {
  const gap = own.entropy - other.entropy;
  return gap > entropyGap && gap > clearly * Math.hypot(own.entropyError, other.entropyError);
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
