/** How methods weigh the supervised tokens of a step. */
import type { MixedStep } from '../mixer/step.js';

/**
 * Weights that make the loss Σ factor · mean over the sources, each mean over the source's own
 * supervised tokens in the step. So a factor does not depend on how long the rows of a source are or
 * how many of them are mixed in. `[supervised tokens]`
 */
export function meanOfEachSource(
  step: MixedStep,
  factors: Readonly<Record<string, number>>,
): Float32Array {
  const counts = step.rows.map(({ supervised }) => supervised.reduce((sum, flag) => sum + flag, 0));
  const totals = new Map<string, number>();
  step.sources.forEach((id, row) => totals.set(id, (totals.get(id) ?? 0) + (counts[row] ?? 0)));
  const weights = new Float32Array([...totals.values()].reduce((sum, count) => sum + count, 0));
  const factorOf = new Map(Object.entries(factors));
  let at = 0;
  step.sources.forEach((id, row) => {
    const next = at + (counts[row] ?? 0);
    weights.fill((factorOf.get(id) ?? 0) / (totals.get(id) ?? 0), at, next);
    at = next;
  });
  return weights;
}
