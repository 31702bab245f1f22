/**
 * The regular expressions of a `tokenizer.json`. They run as JavaScript's, which for some patterns
 * and texts never end, and they need what engines without that fault lack (`\s+(?!\S)`). Those of
 * common models are known to take time in proportion to the text; with any other, work gets a
 * deadline, which costs some 0.1 ms a text. So does a long text with any.
 */
import { DeadlinePassed, timeForText, withinTime } from '../deadline.js';
import { CfsError } from '../errors.js';
import { shortened } from '../text.js';

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const words = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const signs = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
const spaces = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const start = '[^\\r\\n\\p{L}\\p{N}]?';

/**
 * Compared by text. In each, an alternative fails or matches after one look at a run of characters,
 * and a match takes the run with it.
 */
const harmless: ReadonlySet<string> = new Set([
  // GPT-2 and those after it.
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // Llama 3, GPT-4.
  `${contractions}|${words}|\\p{N}{1,3}|${signs}|${spaces}`,
  // Qwen 2 and 3.
  `${contractions}|${words}|\\p{N}|${signs}|${spaces}`,
  // GPT-4o.
  `${start}${upper}*${lower}+${contractions}?|${start}${upper}+${lower}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${spaces}`,
  // The model of the demo.
  '\\p{N}| ?\\p{L}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+',
  // Parts of DeepSeek's and Falcon's.
  '\\p{N}{1,3}',
  '[0-9][0-9][0-9]',
  '[\\r\\n]',
  '\\s?\\p{L}+',
  ' {2,}',
]);

const longText = 100_000;

/** After so many texts that took too long, no other is tried. */
const mostOverruns = 3;

/**
 * How work on a text of `length` characters is done with a tokenizer that has these `parts` (of
 * `tokenizer.json`). It may throw `TOKENIZER_SLOW`.
 */
export function guardOf(
  parts: readonly unknown[],
  file: string,
  allow = timeForText,
): <T>(length: number, work: () => T) => T {
  const unknown = regexesOf(parts).find((regex) => !harmless.has(regex));
  const overruns: CfsError[] = [];
  return (length, work) => {
    if (unknown === undefined && length < longText) return work();
    const last = overruns.at(-1);
    if (last !== undefined && overruns.length >= mostOverruns) throw last;
    const time = allow(length);
    try {
      return withinTime(time, work);
    } catch (cause) {
      if (!(cause instanceof DeadlinePassed)) throw cause;
      const slow = tooSlow(length, time, unknown, file, cause);
      overruns.push(slow);
      throw slow;
    }
  };
}

/** Every pattern below these values that is not mere text. */
function regexesOf(parts: readonly unknown[]): string[] {
  const found: string[] = [];
  const open: unknown[] = [...parts];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'Regex' && typeof inner === 'string') found.push(inner);
      else open.push(inner);
    }
  }
  return found;
}

function tooSlow(
  length: number,
  time: number,
  regex: string | undefined,
  file: string,
  cause: unknown,
): CfsError {
  const reason =
    regex === undefined
      ? ''
      : ` It has patterns of an unusual kind, such as “${shortened(regex)}”.`;
  return new CfsError({
    code: 'TOKENIZER_SLOW',
    message:
      `The tokenizer of tokenizer.json was stopped: a text of ${length} characters took it more than ` +
      `${Math.round(time / 1000)} seconds.${reason}`,
    remedy: 'Check that tokenizer.json is the file that came with the model, or shorten the text.',
    place: { file },
    cause,
  });
}
