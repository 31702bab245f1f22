/**
 * The metrics of tasks by name: what each is measured in, and which direction is better. How one is
 * computed from a model's answers is the evaluator's business.
 */

/** What a score is measured in; values of different units do not belong on one axis. */
export const metricUnits = ['fraction', 'perplexity', 'nats', 'bits'] as const;
export type MetricUnit = (typeof metricUnits)[number];

interface Metric {
  unit: MetricUnit;
  higherIsBetter: boolean;
}

export const metrics = {
  /** The right choice has the highest log-probability; for loglikelihood: the greedy tokens match. */
  acc: { unit: 'fraction', higherIsBetter: true },
  /** The same with each log-probability divided by the choice's length in characters. */
  acc_norm: { unit: 'fraction', higherIsBetter: true },
  exact_match: { unit: 'fraction', higherIsBetter: true },
  /** exp of the mean, over items, of an item's negative log-probability (LAMBADA's measure). */
  perplexity: { unit: 'perplexity', higherIsBetter: false },
  /** Mean negative log-probability per target token: the validation loss. */
  nll_per_token: { unit: 'nats', higherIsBetter: false },
  token_perplexity: { unit: 'perplexity', higherIsBetter: false },
  word_perplexity: { unit: 'perplexity', higherIsBetter: false },
  byte_perplexity: { unit: 'perplexity', higherIsBetter: false },
  bits_per_byte: { unit: 'bits', higherIsBetter: false },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;

export const metricNames = Object.keys(metrics) as [MetricName, ...MetricName[]];

const unitNames: Record<MetricUnit, string> = {
  fraction: 'accuracy',
  perplexity: 'perplexity',
  nats: 'nats per token',
  bits: 'bits per byte',
};

/** The unit of a metric; a metric that is not known (of a newer version) is a unit of its own. */
export function unitOf(metric: string): string {
  return Object.hasOwn(metrics, metric) ? metrics[metric as MetricName].unit : metric;
}

/** The unit as an axis names it. */
export function unitName(unit: string): string {
  return Object.hasOwn(unitNames, unit) ? unitNames[unit as MetricUnit] : unit;
}
