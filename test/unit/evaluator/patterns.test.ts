/**
 * Patterns mean what they mean in Python: `pythonPatterns.json` has what `re.finditer` of Python
 * 3.11 gives for each pattern and text, first the match, then its groups.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  compilePattern,
  makePattern,
  PatternFault,
  splitAt,
} from '../../../src/evaluator/patterns.js';
import { parseDefinition } from '../../../src/evaluator/task.js';
import { expectError } from '../../support/expectError.js';

const file = join(import.meta.dirname, '../../fixtures/pythonPatterns.json');
const found = z.array(z.array(z.array(z.string().nullable())));
const python = z
  .object({ texts: z.array(z.string()), patterns: z.record(z.string(), found) })
  .parse(JSON.parse(readFileSync(file, 'utf8')));

describe("patterns and Python's", () => {
  it.each(Object.entries(python.patterns))('agree on %s', (pattern, expected) => {
    const { matches } = compilePattern(pattern);
    const ours = python.texts.map((text) =>
      matches(text).map((match) => [match.text, ...match.groups.map((group) => group ?? null)]),
    );
    expect(ours).toEqual(expected);
  });

  it('leave a line end before the end where it is', () => {
    expect(splitAt('\\.$', '18.\n')).toEqual(['18', '\n']);
    expect(splitAt('(?m)\\.$', 'a.\nb.')).toEqual(['a', '\nb', '']);
  });
});

describe('patterns that are refused', () => {
  it.each([
    ['a(?=b)c', 'a lookahead “(?=…)” that is not at the end'],
    ['(a(?=b))', 'a lookahead “(?=…)” that is not at the end'],
    ['a(?!b)', 'a lookahead “(?!…)”'],
    ['(?<=(a))b', 'not a valid regular expression'],
    ['(a)\\1', 'a backreference “\\1”'],
    ['(?P<x>a)(?P=x)', 'a backreference “(?P=…)”'],
    ['(a)?(?(1)b|c)', 'a condition “(?(…)…)”'],
    ['(?>a)', 'an atomic group “(?>…)”'],
    ['a++', 'a possessive quantifier “++”'],
    ['a{2}+', 'a possessive quantifier “{2}+”'],
    ['(?x) a', 'the flag “x”'],
    ['\\p{L}', 'the escape “\\p”, which Python does not know'],
    ['(a', 'not a valid regular expression: missing'],
    ['[a', 'a bracket “[” that is not closed'],
    ['(a{1000}){1000}', 'not a valid regular expression'],
    ['\\w{1000}'.repeat(11), 'too large'],
  ])('%s', (pattern, reason) => {
    expect(() => compilePattern(pattern)).toThrow(PatternFault);
    expect(() => compilePattern(pattern)).toThrow(reason);
  });

  it('are named with their place in the task file', async () => {
    const task = (rest: string): string =>
      `task: t\nkind: generate_until\ndata: d.jsonl\ndoc_to_target: a\n${rest}`;
    const refused = await expectError('TASK_INVALID', () =>
      parseDefinition(
        task(
          "metrics: [exact_match]\nfilters:\n  - name: f\n    steps:\n      - function: regex\n        regex_pattern: 'is (?!b)a'\n",
        ),
        't.yaml',
      ),
    );
    expect(refused.message).toContain('regex_pattern: has a lookahead “(?!…)”');
    expect(refused.place).toEqual({
      file: 't.yaml',
      line: 10,
      column: 24,
      field: 'filters.0.steps.0.regex_pattern',
    });
    const ignoring = await expectError('TASK_INVALID', () =>
      parseDefinition(
        task("metrics:\n  - metric: exact_match\n    regexes_to_ignore: [',', '(a)\\1']\n"),
        't.yaml',
      ),
    );
    expect(ignoring.place).toMatchObject({ line: 7, field: 'metrics.0.regexes_to_ignore.1' });
  });
});

it('take no endless time', async () => {
  const text = `${'a'.repeat(50_000)}b`;
  // The engine of JavaScript would try 2^50000 ways.
  expect(compilePattern('^(a+)+$').matches(text)).toEqual([]);
  expect(compilePattern('^(a|a)*$').matches(text)).toEqual([]);
  // Each `x` is a match only after a look at all that follows.
  const square = makePattern('x(?:.*y)?', () => 20);
  const slow = await expectError('TASK_PATTERN_SLOW', () => square.matches('x'.repeat(20_000)));
  expect(slow.message).toContain('pattern “x(?:.*y)?” was stopped: a text of 20000 characters');
});
