/** What is taken out of a generated text before it is compared with the target. */
import type { FilterStep, MetricChoice } from './taskSchema.js';
import { compilePattern, removeMatches } from './patterns.js';

/** Applies the steps in order. */
export function applyFilter(steps: readonly FilterStep[], generated: string): string {
  return steps.reduce((text, step) => {
    switch (step.function) {
      case 'regex':
        return selectMatch(step, text);
      case 'strip':
        return text.trim();
      case 'take_first':
        // lm-evaluation-harness chooses among repeated answers here; there is one per item.
        return text;
    }
  }, generated);
}

/** Equality under a metric's rules: patterns and, if asked, case are ignored on both sides. */
export function isExactMatch(
  ignore: MetricChoice['ignore'],
  text: string,
  target: string,
): boolean {
  const simplify = (side: string): string => {
    const kept = ignore.patterns.reduce((rest, p) => removeMatches(p, rest), side);
    return ignore.case ? kept.toLowerCase() : kept;
  };
  return simplify(text) === simplify(target);
}

/** The chosen match, or of its groups the first that is not empty (Python's `findall`). */
function selectMatch(step: Extract<FilterStep, { function: 'regex' }>, text: string): string {
  const match = compilePattern(step.regex_pattern).matches(text).at(step.group_select);
  if (match === undefined) return step.fallback;
  const { groups } = match;
  // A single group may match the empty string, as in Python.
  if (groups.length <= 1) return (groups.length === 1 ? (groups[0] ?? '') : match.text).trim();
  const filled = groups.find((group) => group !== undefined && group !== '');
  return filled === undefined ? step.fallback : filled.trim();
}
