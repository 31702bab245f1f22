/**
 * The one door of JSON from outside. `JSON.parse` accepts what later breaks or misleads: lists nested
 * so deep that whoever walks through them runs out of stack, and a key that is there twice, of which
 * it keeps the last without a word.
 */
import { visibleLine } from './text.js';

/** Levels of lists and objects in one another. The files of models and datasets have ten at most. */
export const deepestJson = 128;

/** JSON that is not as we take it. */
export class JsonFault extends SyntaxError {
  constructor(
    message: string,
    /** Line and column from 1. */
    readonly place: { line: number; column: number },
  ) {
    super(message);
    this.name = 'JsonFault';
  }
}

/** The value of `text`. Throws `JsonFault`, and the `SyntaxError` of `JSON.parse`. */
export function parseJson(text: string): unknown {
  const { depth, names } = measure(text);
  if (depth !== undefined) throw fault(text, depth, tooDeep);
  const value = JSON.parse(text) as unknown;
  if (countNames(value) === names) return value;
  const { name, offset } = findRepeated(text);
  throw fault(text, offset, repeatedKey(name));
}

/** The same, or undefined (which JSON cannot hold) for text that is not JSON as we take it. */
export function parseJsonIfAny(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Where in its text the JSON is at fault, if `error` says so. */
export function jsonPlace(error: unknown): { line?: number; column?: number } {
  return error instanceof JsonFault ? error.place : {};
}

/** What a reader says of a key that its object has already. */
export function repeatedKey(name: string): string {
  return `the key ${JSON.stringify(visibleLine(name.slice(0, 80)))} is there twice in one object`;
}

/** What a reader says of JSON that is deeper than `deepestJson`. */
export const tooDeep = `lists and objects are nested more than ${deepestJson} levels deep`;

const signs = {
  quote: 0x22,
  colon: 0x3a,
  openList: 0x5b,
  backslash: 0x5c,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

/** `depth`: where the text gets too deep. `names`: how many names of values it has, each repeat too. */
function measure(text: string): { depth?: number; names: number } {
  let depth = 0;
  let names = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case signs.quote:
        at = endOfString(text, at);
        break;
      case signs.colon:
        names++;
        break;
      case signs.openList:
      case signs.openObject:
        if (++depth > deepestJson) return { depth: at, names };
        break;
      case signs.closeList:
      case signs.closeObject:
        depth--;
    }
  }
  return { names };
}

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === signs.backslash) before--;
    if ((at - before) % 2 === 0) return at;
  }
  return text.length;
}

/** Names in `value` and in all that it holds. */
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside: unknown[] = Array.isArray(value) ? value : Object.values(value);
  let count = Array.isArray(value) ? 0 : inside.length;
  for (const one of inside) if (typeof one === 'object') count += countNames(one);
  return count;
}

/** The first name that its object has already, in text that is JSON. */
function findRepeated(text: string): { name: string; offset: number } {
  /** The names of the objects that are open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === signs.openObject) open.push(new Set());
    else if (sign === signs.openList) open.push(undefined);
    else if (sign === signs.closeObject || sign === signs.closeList) open.pop();
    else if (sign === signs.quote) {
      const end = endOfString(text, at);
      if (isName(text, end)) {
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        if (open.at(-1)?.has(name)) return { name, offset: at };
        open.at(-1)?.add(name);
      }
      at = end;
    }
  }
  throw new Error('Internal error: names were counted that are not there twice');
}

/** Whether the string that ends at `end` has a value behind it. */
function isName(text: string, end: number): boolean {
  for (let at = end + 1; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    // Space, tab and line ends are all that JSON allows between.
    if (sign > 0x20) return sign === signs.colon;
  }
  return false;
}

function fault(text: string, offset: number, message: string): JsonFault {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return new JsonFault(message, { line, column: offset - start + 1 });
}
