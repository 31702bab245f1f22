/**
 * YAML as people write it, read in one place: whatever is wrong with it comes back with its line, and
 * the library says nothing to the terminal by itself.
 *
 * The library works through text of any size and shape, compares the keys of a map pair by pair, and
 * calls itself for each level; so what it is given is bounded first, token by token.
 */
import {
  Composer,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  YAMLParseError,
  type CST,
  type Document,
} from 'yaml';
import { defined, messageOf } from './errors.js';
import { sizeText } from './reading.js';
import { visibleLine } from './text.js';

/** Bytes of a file and characters of a text; the longest that we know of has some 5 KiB. */
export const largestYaml = 256 * 1024;
/** Lists and maps in one another. */
const deepest = 64;
/** Values and keys, those that aliases stand for counted each time. */
const mostValues = 20_000;
const mostAliases = 100;
/** Words, signs, blanks and line ends: each costs memory, whatever it stands for. */
const mostLexemes = 100_000;
/** Faults that are told; a text with more of them is something else than YAML. */
const mostFaults = 50;

export interface YamlFault {
  message: string;
  /** From 1. */
  line: number;
  column: number;
}

export interface YamlText {
  document: Document.Parsed;
  lines: LineCounter;
  /** Plain data; undefined where there are faults. */
  content: unknown;
  faults: YamlFault[];
}

/** A fault and its place in the text. */
interface Fault {
  message: string;
  offset: number;
}

export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  const failed = (document: Document.Parsed, faults: readonly Fault[]): YamlText => {
    const first = faults.toSorted((a, b) => a.offset - b.offset).slice(0, mostFaults);
    const placed = first.map(({ message, offset }) => {
      const { line, col } = lines.linePos(offset);
      return { message, line: Math.max(1, line), column: Math.max(1, col) };
    });
    return { document, lines, content: undefined, faults: placed };
  };
  const tokens = tokensWithinLimits(text, lines);
  if ('fault' in tokens) return failed(compose([], 0), [tokens.fault]);
  const document = compose(tokens.tokens, text.length);
  const broken = document.errors.map(({ message, pos }) => ({ message, offset: pos[0] }));
  if (broken.length > 0) return failed(document, broken);
  const twice = repeatedKeys(document.contents);
  if (twice.length > 0) return failed(document, twice);
  try {
    const fault = checkAliases(document);
    if (fault) return failed(document, [fault]);
    // What aliases stand for was counted before.
    return { document, lines, content: document.toJS({ maxAliasCount: -1 }), faults: [] };
  } catch (error) {
    // Aliases are followed only here: one may stand for nothing.
    return failed(document, [{ message: messageOf(error), offset: 0 }]);
  }
}

/** The tokens of a text, or why they are not for the library to work on. */
function tokensWithinLimits(
  text: string,
  lines: LineCounter,
): { tokens: CST.Token[] } | { fault: Fault } {
  if (text.length > largestYaml) {
    const message = `The text is longer than ${sizeText(largestYaml)}; this is more than a person writes`;
    return { fault: { message, offset: 0 } };
  }
  if (hasMoreThan(mostLexemes, new Lexer().lex(text))) {
    return { fault: { message: `There are more than ${mostLexemes} words and signs`, offset: 0 } };
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const waiting: { token: CST.Token; depth: number }[] = tokens.map((token) => ({
    token,
    depth: 0,
  }));
  let values = 0;
  let aliases = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { token, depth } = at;
    const { offset } = token;
    if (depth > deepest) {
      return { fault: { message: `Values are nested more than ${deepest} levels deep`, offset } };
    }
    if (++values > mostValues) {
      return { fault: { message: `There are more than ${mostValues} keys and values`, offset } };
    }
    if (token.type === 'alias' && ++aliases > mostAliases) {
      return { fault: { message: `There are more than ${mostAliases} aliases`, offset } };
    }
    for (const inside of tokensIn(token)) waiting.push({ token: inside, depth: depth + 1 });
  }
  return { tokens };
}

function hasMoreThan(most: number, items: Iterable<unknown>): boolean {
  let count = 0;
  const iterator = items[Symbol.iterator]();
  while (iterator.next().done !== true) if (++count > most) return true;
  return false;
}

/** Keys and values, but for marks and blanks. */
function tokensIn(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [
    ...(key ? [key] : []),
    ...(value ? [value] : []),
  ]);
}

function compose(tokens: readonly CST.Token[], length: number): Document.Parsed {
  // Its warnings would go to the terminal as they are, with the text of the file in them.
  const options = { prettyErrors: false, logLevel: 'error', uniqueKeys: false } as const;
  let first: Document.Parsed | undefined;
  for (const document of new Composer(options).compose(tokens, true, length)) {
    if (first !== undefined) {
      const message = 'There is more than one document in this file; write one without `---`';
      const [begin, end] = document.range;
      first.errors.push(new YAMLParseError([begin, end], 'MULTIPLE_DOCS', message));
      break;
    }
    first = document;
  }
  return defined(first, 'YAML document');
}

/** Keys that their map has already, as the data has them: `1` and `"1"` are the same there. */
function repeatedKeys(contents: unknown): Fault[] {
  const faults: Fault[] = [];
  const waiting: unknown[] = [contents];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (!isCollection(node)) continue;
    for (const item of node.items) {
      if (isPair(item)) waiting.push(item.key, item.value);
      else waiting.push(item);
    }
    if (!isMap(node)) continue;
    const seen = new Set<string>();
    for (const { key } of node.items) {
      const text = keyText(key);
      if (text === undefined) continue;
      if (seen.has(text)) {
        const message = `The key \`${visibleLine(text.slice(0, 80))}\` is there twice`;
        faults.push({ message, offset: offsetOf(key) });
      }
      seen.add(text);
    }
  }
  return faults;
}

/** A key as the data has it: all are text there, `null` the empty one. */
export function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  const { value } = key as { value: string | number | boolean | null };
  return value === null ? '' : String(value);
}

/** Why the aliases of a document are not to be followed, if so: they may stand for far more than the text. */
function checkAliases({ contents }: Document.Parsed): Fault | undefined {
  /** How many values there are below each anchor; undefined while it is being counted. */
  const anchors = new Map<string, number | undefined>();
  let fault: Fault | undefined;
  const count = (node: unknown): number => {
    if (isAlias(node)) {
      const { source } = node;
      const offset = offsetOf(node);
      if (anchors.has(source) && anchors.get(source) === undefined) {
        fault ??= { message: `The alias *${source} stands for what it is a part of`, offset };
      }
      return anchors.get(source) ?? 1;
    }
    const anchor = isNode(node) ? (node as { anchor?: string }).anchor : undefined;
    if (anchor !== undefined) anchors.set(anchor, undefined);
    let values = 1;
    if (isPair(node)) values = count(node.key) + count(node.value);
    if (isCollection(node)) for (const item of node.items) values += count(item);
    if (values > mostValues) {
      const message = `There are more than ${mostValues} values, those of aliases counted each time`;
      fault ??= { message, offset: offsetOf(node) };
    }
    if (anchor !== undefined) anchors.set(anchor, values);
    return values;
  };
  count(contents);
  return fault;
}

function offsetOf(node: unknown): number {
  return (isNode(node) ? node.range?.[0] : undefined) ?? 0;
}
