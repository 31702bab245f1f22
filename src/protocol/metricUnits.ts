/**
 * What each metric is measured in, for everyone who draws scores: values of different units do not
 * belong on one axis. The evaluator's own table of metrics says the same; a test holds both together.
 */

const units = {
  acc: 'fraction',
  acc_norm: 'fraction',
  exact_match: 'fraction',
  perplexity: 'perplexity',
  token_perplexity: 'perplexity',
  word_perplexity: 'perplexity',
  byte_perplexity: 'perplexity',
  nll_per_token: 'nats',
  bits_per_byte: 'bits',
} as const;

const names: Record<string, string> = {
  fraction: 'share of right answers',
  perplexity: 'perplexity',
  nats: 'nats per token',
  bits: 'bits per byte',
};

/** The unit of a metric; a metric that is not known is a unit of its own. */
export function unitOf(metric: string): string {
  return Object.hasOwn(units, metric) ? units[metric as keyof typeof units] : metric;
}

/** The unit as an axis names it. */
export function unitName(unit: string): string {
  return Object.hasOwn(names, unit) ? (names[unit] ?? unit) : unit;
}
