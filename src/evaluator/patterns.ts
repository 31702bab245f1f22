/**
 * Regular expressions as task files write them. lm-evaluation-harness uses Python's, whose inline
 * flags (`(?s).*`) JavaScript does not read; they are turned into flags here, so that a pattern can
 * be pasted from a published task.
 */

/** The pattern with the `g` flag. Leading `(?i)`, `(?m)`, `(?s)` are read. Throws `SyntaxError`. */
export function compilePattern(pattern: string): RegExp {
  const inline = /^\(\?([ims]+)\)/.exec(pattern);
  if (inline === null) return new RegExp(pattern, 'g');
  const flags = new Set([...(inline[1] ?? ''), 'g']);
  return new RegExp(pattern.slice(inline[0].length), [...flags].join(''));
}
