import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defined } from '../../../src/errors.js';
import { applyFilter, isExactMatch } from '../../../src/evaluator/filters.js';
import { readDefinition } from '../../../src/evaluator/task.js';

const gsm8k = readDefinition(join(import.meta.dirname, '../../../media/tasks/gsm8k.yaml'));
const filter = (name: string, text: string): string =>
  applyFilter(
    defined(
      gsm8k.filters.find((f) => f.name === name),
      name,
    ).steps,
    text,
  );
const { ignore } = defined(gsm8k.metrics[0], 'metric');

describe('the filters of gsm8k', () => {
  it('strict-match takes the first number behind ####', () => {
    expect(filter('strict-match', 'so 3.\n#### -1,234.5 and #### 7')).toBe('-1,234.5');
    expect(filter('strict-match', 'The answer is 18.')).toBe('[invalid]');
  });

  it('flexible-extract takes the last number', () => {
    expect(filter('flexible-extract', 'She has 16 - 3 = 13 and makes $18.00')).toBe('$18.00');
    expect(filter('flexible-extract', 'It is 7')).toBe('7');
    expect(filter('flexible-extract', 'It is 18. ')).toBe('18.');
    expect(filter('flexible-extract', 'none')).toBe('[invalid]');
  });

  it('compares without commas, dollars, the reasoning, a final point and case', () => {
    const reference = '9 * 2 = <<9*2=18>>18\na day.\n#### 1,018';
    expect(isExactMatch(ignore, '$1,018.', reference)).toBe(true);
    expect(isExactMatch(ignore, '1018', reference)).toBe(true);
    expect(isExactMatch(ignore, '18', reference)).toBe(false);
    expect(isExactMatch(ignore, 'ABC', 'abc')).toBe(true);
    expect(isExactMatch({ case: false, patterns: [] }, 'ABC', 'abc')).toBe(false);
  });
});

describe('other steps', () => {
  it('follow one another', () => {
    const steps = [
      { function: 'regex', regex_pattern: '\\(([^)]*)\\)', group_select: 1, fallback: 'none' },
      { function: 'take_first' },
      { function: 'strip' },
    ] as const;
    expect(applyFilter(steps, '(a) ( b )')).toBe('b');
    expect(applyFilter(steps, '(a)')).toBe('none');
  });
});
