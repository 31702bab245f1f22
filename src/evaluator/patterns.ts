/**
 * Regular expressions as task files write them. lm-evaluation-harness uses Python's, so they mean
 * here what they mean there: they are rewritten for RE2, which takes linear time for a match whatever
 * the pattern. What RE2 lacks for that very reason is refused by name. All matches of a long text can
 * still take the square of its length, so there is a deadline for them.
 *
 * One difference is left: `\b` and `\B` take only ASCII letters, digits and `_` for parts of words.
 */
import { RE2JS, RE2JSException } from 're2js';
import { DeadlinePassed, timeForText, withinTime } from '../deadline.js';
import { CfsError } from '../errors.js';
import { shortened } from '../text.js';

export interface Match {
  text: string;
  /** Undefined where a group took no part. */
  groups: (string | undefined)[];
  start: number;
  end: number;
}

export interface Pattern {
  /** Python's `finditer`. Throws `TASK_PATTERN_SLOW`. */
  matches: (text: string) => Match[];
}

/** What is wrong with a pattern, to stand after its name. */
export class PatternFault extends Error {}

/** A step of the pattern is looked at for each character, so this bounds the time for one. */
const mostSteps = 10_000;
const longestPattern = 10_000;

const known = new Map<string, Pattern>();

/** Throws `PatternFault`. */
export function compilePattern(pattern: string): Pattern {
  const before = known.get(pattern);
  if (before !== undefined) return before;
  const made = makePattern(pattern);
  known.set(pattern, made);
  return made;
}

/** `text` without what the pattern matches. */
export function removeMatches(pattern: string, text: string): string {
  return splitAt(pattern, text).join('');
}

/** The pieces of `text` between matches. */
export function splitAt(pattern: string, text: string): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end } of compilePattern(pattern).matches(text)) {
    pieces.push(text.slice(at, start));
    at = end;
  }
  return [...pieces, text.slice(at)];
}

/** `allow`: the milliseconds for a text of this length. Throws `PatternFault`. */
export function makePattern(pattern: string, allow = timeForText): Pattern {
  if (pattern.length > longestPattern) {
    throw new PatternFault(`is longer than ${longestPattern} characters`);
  }
  const { source, groups, ends } = new Translation(pattern).run();
  const compiled = compile(source);
  if (compiled.programSize() > mostSteps) {
    throw new PatternFault('is too large: it repeats long parts many times');
  }
  const search = (text: string): Match[] => {
    const matcher = compiled.matcher(text);
    const found: Match[] = [];
    let at = 0;
    while (at <= text.length && matcher.find(at)) {
      // A group that was open before such a mark ends there; those inside a lookahead do not.
      const marks = ends.filter((i) => matcher.start(i) >= 0);
      const span = (i: number): [number, number] => {
        const after = marks.filter((mark) => mark > i).map((mark) => matcher.start(mark));
        return [matcher.start(i), Math.min(matcher.end(i), ...after)];
      };
      const [start, end] = span(0);
      const parts = groups
        .map(span)
        .map(([from, to]) => (from < 0 ? undefined : text.slice(from, to)));
      found.push({ text: text.slice(start, end), groups: parts, start, end });
      at = end > start ? end : end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    }
    return found;
  };
  const matches = (text: string): Match[] => {
    const time = allow(text.length);
    try {
      return withinTime(time, () => search(text));
    } catch (cause) {
      throw cause instanceof DeadlinePassed ? tooSlow(pattern, text, time, cause) : cause;
    }
  };
  return { matches };
}

function compile(source: string): RE2JS {
  try {
    // Lookbehinds without groups take linear time too.
    return RE2JS.compile(source, RE2JS.LOOKBEHINDS);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const reason = error.message.replace(/^error parsing regexp: /, '');
    throw new PatternFault(`is not a valid regular expression: ${reason}`);
  }
}

/** What Python's classes for text hold, to stand inside brackets. */
const classes = new Map([
  ['d', '\\p{Nd}'],
  ['D', '\\P{Nd}'],
  ['w', '\\p{L}\\p{N}_'],
  [
    's',
    '\\t-\\r\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}',
  ],
]);
/** Their opposites, which cannot be written as a sum of classes. */
const opposites = new Map([
  ['W', /[^\p{L}\p{N}_]/u],
  // eslint-disable-next-line no-control-regex -- Python counts these among white space
  ['S', /[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u],
]);

const lacking: readonly [string, string][] = [
  ['(?=', 'a lookahead “(?=…)” that is not at the end of the pattern or of an alternative'],
  ['(?!', 'a lookahead “(?!…)”'],
  ['(?P=', 'a backreference “(?P=…)”'],
  ['(?(', 'a condition “(?(…)…)”'],
  ['(?>', 'an atomic group “(?>…)”'],
];

/** One reading of a Python pattern from left to right. */
class Translation {
  private at = 0;
  private source = '';
  private count = 0;
  /** Groups of the pattern. */
  private readonly groups: number[] = [];
  /** Groups that stand for `$` or a lookahead at the end: where they begin, the match ends. */
  private readonly ends: number[] = [];
  private inLookahead = false;
  /** Whether `$` means line ends, for each group that is open. */
  private readonly multiline = [false];

  constructor(private readonly pattern: string) {}

  run(): { source: string; groups: number[]; ends: number[] } {
    while (this.at < this.pattern.length) this.next();
    return { source: this.source, groups: this.groups, ends: this.ends };
  }

  private next(): void {
    const sign = this.pattern[this.at] ?? '';
    if (sign === '\\') return this.put(this.escape(false));
    if (sign === '[') return this.put(this.brackets());
    if (sign === '(') return this.group();
    if (sign === ')' && this.multiline.length > 1) this.close();
    if (sign === '$' && this.multiline.at(-1) === false) {
      this.ends.push(++this.count);
      this.at++;
      return this.put('(?:(\\n?)\\z)');
    }
    const [repeat] = this.rest().match(/^(?:[*+?]|\{\d*,?\d*\})/) ?? [];
    if (repeat === undefined) {
      this.at++;
      return this.put(sign);
    }
    this.at += repeat.length;
    if (this.rest().startsWith('+')) throw lacks(`a possessive quantifier “${repeat}+”`);
    this.put(/^\{,\d+\}$/.test(repeat) ? `{0${repeat.slice(1)}` : repeat);
  }

  private put(text: string): void {
    this.source += text;
  }

  private rest(): string {
    // Longer than anything that is looked for.
    return this.pattern.slice(this.at, this.at + 40);
  }

  private group(): void {
    const rest = this.rest();
    if (rest.startsWith('(?=') && this.multiline.length === 1) {
      this.inLookahead = true;
      this.ends.push(++this.count);
      return this.open('(?=', '(');
    }
    const lack = lacking.find(([start]) => rest.startsWith(start));
    if (lack !== undefined) throw lacks(lack[1]);
    const [behind] = rest.match(/^\(\?<[=!]/) ?? [];
    if (behind !== undefined) return this.open(behind, behind);
    if (rest.startsWith('(?#')) {
      const end = this.pattern.indexOf(')', this.at);
      this.at = end < 0 ? this.pattern.length : end + 1;
      return;
    }
    const flags = /^\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])/.exec(rest);
    if (flags !== null) return this.flags(flags);
    const [start] = rest.match(/^\(\?P?<\w+>/) ?? ['('];
    if (start === '(' && rest.startsWith('(?')) {
      throw new PatternFault(`has a group of an unknown kind: “${rest.slice(0, 3)}”`);
    }
    this.groups.push(++this.count);
    this.open(start, start);
  }

  private open(start: string, translated: string): void {
    this.multiline.push(this.multiline.at(-1) ?? false);
    this.at += start.length;
    this.put(translated);
  }

  private close(): void {
    this.multiline.pop();
    if (!this.inLookahead || this.multiline.length > 1) return;
    this.inLookahead = false;
    const next = this.pattern[this.at + 1];
    if (next !== undefined && next !== '|') throw lacks(lacking[0]?.[1] ?? '');
  }

  private flags([all, on = '', off = '', end]: RegExpExecArray): void {
    const unknown = [...on, ...off].find((flag) => !'imsu'.includes(flag));
    if (unknown !== undefined) throw lacks(`the flag “${unknown}”`);
    const before = this.multiline.at(-1) ?? false;
    const now = (before || on.includes('m')) && !off.includes('m');
    if (end === ':') this.multiline.push(now);
    else this.multiline[this.multiline.length - 1] = now;
    this.at += all.length;
    // Python's patterns for text are in Unicode anyway.
    const kept = on.replaceAll('u', '') + (off === '' ? '' : `-${off}`);
    if (end === ':' || kept !== '') this.put(`(?${kept}${end}`);
  }

  private escape(inBrackets: boolean): string {
    const rest = this.rest();
    const [number, hex] = /^\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8}))/i.exec(rest) ?? [];
    if (number !== undefined) {
      this.at += number.length;
      return `\\x{${hex ?? number.slice(2)}}`;
    }
    const [octal] = /^\\(?:0[0-7]{0,2}|[1-3][0-7]{2})/.exec(rest) ?? [];
    if (octal !== undefined) {
      this.at += octal.length;
      return `\\x{${parseInt(octal.slice(1), 8).toString(16)}}`;
    }
    const sign = String.fromCodePoint(this.pattern.codePointAt(this.at + 1) ?? 0x5c);
    this.at += 1 + sign.length;
    if (/[1-9]/.test(sign)) throw lacks(`a backreference “\\${sign}”`);
    const held = classes.get(sign);
    if (held !== undefined) return inBrackets ? held : `[${held}]`;
    const others = opposites.get(sign);
    if (others !== undefined) {
      return inBrackets ? rangesOf(others) : `[^${classes.get(sign.toLowerCase()) ?? ''}]`;
    }
    if (sign === 'Z' && !inBrackets) return '\\z';
    if (sign === 'b' && inBrackets) return '\\x{8}';
    const isKnown = inBrackets ? /[afnrtv]/ : /[afnrtvbBA]/;
    if (/[a-zA-Z]/.test(sign) && !isKnown.test(sign)) {
      throw new PatternFault(`has the escape “\\${sign}”, which Python does not know`);
    }
    return sign > '\x7f' ? sign : `\\${sign}`;
  }

  private brackets(): string {
    const [start] = /^\[\^?\]?/.exec(this.rest()) ?? ['['];
    this.at += start.length;
    let text = start.replace(']', '\\]');
    for (let sign = this.pattern[this.at]; sign !== ']'; sign = this.pattern[this.at]) {
      if (sign === undefined) throw new PatternFault('has a bracket “[” that is not closed');
      if (sign === '\\') {
        text += this.escape(true);
        continue;
      }
      // RE2 would take `[:` for the beginning of a named class.
      text += sign === '[' ? '\\[' : sign;
      this.at++;
    }
    this.at++;
    return `${text}]`;
  }
}

function tooSlow(pattern: string, text: string, time: number, cause: unknown): CfsError {
  return new CfsError({
    code: 'TASK_PATTERN_SLOW',
    message:
      `The task's pattern “${shortened(pattern)}” was stopped: a text of ${text.length} characters took it ` +
      `more than ${Math.round(time / 1000)} seconds.`,
    remedy: 'Simplify the pattern: make it match less of the text at once, or repeat less.',
    cause,
  });
}

function lacks(what: string): PatternFault {
  return new PatternFault(
    `has ${what}, which can take endless time; only patterns that RE2 knows are run`,
  );
}

const ranges = new Map<RegExp, string>();

/** The code points that are of a class, as ranges inside brackets. */
function rangesOf(test: RegExp): string {
  const before = ranges.get(test);
  if (before !== undefined) return before;
  let text = '';
  let first = -1;
  for (let code = 0; code <= 0x110000; code++) {
    const isOf = code < 0x110000 && test.test(String.fromCodePoint(code));
    if (isOf && first < 0) first = code;
    if (isOf || first < 0) continue;
    text += `\\x{${first.toString(16)}}-\\x{${(code - 1).toString(16)}}`;
    first = -1;
  }
  ranges.set(test, text);
  return text;
}
