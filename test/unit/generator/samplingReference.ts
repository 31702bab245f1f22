/**
 * Sampling in plain JavaScript, one distribution at a time and in double precision: the few lines
 * that say what the sampler inside the decode graph must do.
 */

export interface SamplingRule {
  temperature: number;
  topK?: number;
  topP?: number;
}

/** Tokens in the order in which their probabilities are summed up. */
export interface Distribution {
  tokens: number[];
  probabilities: number[];
}

/** In token order, or, when top-k or top-p restricts it, from the likeliest down. */
export function samplingDistribution(logits: readonly number[], rule: SamplingRule): Distribution {
  const all = softmax(logits.map((logit) => logit / rule.temperature));
  const inOrder = [...all.keys()];
  const restricted = (rule.topK ?? logits.length) < logits.length || (rule.topP ?? 1) < 1;
  if (!restricted) return { tokens: inOrder, probabilities: all };
  const p = (token: number): number => all[token] ?? 0;
  const kept = inOrder.sort((a, b) => p(b) - p(a) || a - b).slice(0, rule.topK ?? logits.length);
  const limit = (rule.topP ?? 1) * sum(kept.map(p));
  const tokens: number[] = [];
  let before = 0;
  for (const token of kept) {
    if (before >= limit) break;
    tokens.push(token);
    before += p(token);
  }
  return { tokens, probabilities: tokens.map((token) => p(token) / before) };
}

/**
 * The tokens that `uniform` may give when it is uncertain by `slack`: one, or two where it falls
 * beside a boundary.
 */
export function draw(
  { tokens, probabilities }: Distribution,
  uniform: number,
  slack: number,
): number[] {
  const at = (target: number): number => {
    let cumulative = 0;
    for (const [i, token] of tokens.entries()) {
      cumulative += probabilities[i] ?? 0;
      if (cumulative > target) return token;
    }
    return tokens.at(-1) ?? -1;
  };
  return [...new Set([at(Math.max(0, uniform - slack)), at(uniform), at(uniform + slack)])];
}

export function softmax(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - highest));
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

/** Entropy in nats. */
export function entropyOf(probabilities: readonly number[]): number {
  return sum(probabilities.map((p) => (p > 0 ? -p * Math.log(p) : 0)));
}

/**
 * The probability that counts drawn from `probabilities` lie at least as far from their expectation
 * as `counts` do (Pearson's chi-square; cells expected less than 5 times are put together).
 */
export function chiSquarePValue(
  counts: readonly number[],
  probabilities: readonly number[],
): number {
  const total = sum(counts);
  const cells: { observed: number; expected: number }[] = [];
  const rare = { observed: 0, expected: 0 };
  counts.forEach((observed, i) => {
    const expected = total * (probabilities[i] ?? 0);
    if (expected >= 5) cells.push({ observed, expected });
    else {
      rare.observed += observed;
      rare.expected += expected;
    }
  });
  if (rare.expected > 0) cells.push(rare);
  const statistic = sum(
    cells.map(({ observed, expected }) => (observed - expected) ** 2 / expected),
  );
  return upperGamma((cells.length - 1) / 2, statistic / 2);
}

/** Regularized upper incomplete gamma function (Numerical Recipes 6.2: series, else fraction). */
function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let series = term;
    for (let n = 1; n < 1000; n++) {
      term *= x / (a + n);
      series += term;
    }
    return 1 - series * scale;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 1000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= d * c;
  }
  return fraction * scale;
}

/** Stirling's series after shifting the argument up. */
function logGamma(x: number): number {
  if (x < 10) return logGamma(x + 1) - Math.log(x);
  return (
    (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3)
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
