/** Numbers and tables as `docs/results.md` shows them. */
import type { Spread } from './statistics.js';

/** `digits` decimals and a true minus sign; with `withSign` also a plus. */
export function signed(value: number, digits: number, withSign: boolean): string {
  const text = value.toFixed(digits);
  const plain = Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
  return withSign && Number(text) > 0 ? `+${plain}` : plain;
}

/** `mean [low, high]`. */
export function spreadText({ mean, interval }: Spread, digits: number, withSign: boolean): string {
  const text = signed(mean, digits, withSign);
  if (interval === undefined) return text;
  return `${text} [${interval.map((end) => signed(end, digits, withSign)).join(', ')}]`;
}

/** A Markdown table; columns from `numbersFrom` on are set flush right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbersFrom = head.length,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column < numbersFrom ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** A fenced block; the fence is longer than any run of backticks in the text. */
export function codeBlock(language: string, text: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}${language}\n${text}\n${fence}`;
}
