/**
 * The text of a Jinja template made into a program, within limits. The library's lexer has a pattern
 * that takes quadratic time on long runs of white space, and its parser calls itself for whatever is
 * nested; so text and nesting are looked at before, and the depth of the program after.
 */
import { parse, tokenize } from '@huggingface/jinja';

type Program = ReturnType<typeof parse>;
type Token = Parameters<typeof parse>[0][number];

/** A statement or expression, as far as all of them are alike. */
export interface JinjaNode {
  type: string;
  [field: string]: unknown;
}

/** The node that a node is a part of, and in which of its fields. */
export interface NodePlace {
  parent: JinjaNode;
  field: string;
}

export interface JinjaProgram {
  root: Program;
  places: ReadonlyMap<object, NodePlace>;
}

/** A limit was met: what the template does, to stand after its name. */
export class JinjaLimit extends Error {}

/** The longest template we know of, for tools and thinking, has some 20,000 characters. */
const longestTemplate = 1 << 20;
const longestSpace = 2000;
/** Brackets and blocks inside each other; the parser takes some 15 calls for each. */
const deepestNesting = 100;
/** In one tag, the words and signs that the parser calls itself for without a bracket. */
const longestChain = 1000;
/** Levels of the program; each takes several calls when it runs. */
export const deepestProgram = 200;

/**
 * Throws `JinjaLimit`, and the library's own errors for what is not Jinja. `trimBlocks` leaves out
 * the line end after a block and the spaces before, as chat templates want it.
 */
export function parseProgram(text: string, trimBlocks: boolean): JinjaProgram {
  if (text.length > longestTemplate) {
    throw new JinjaLimit(`is longer than ${longestTemplate} characters`);
  }
  if (longestRunOfSpace(text) > longestSpace) {
    throw new JinjaLimit(`has more than ${longestSpace} characters of white space in a row`);
  }
  const tokens = tokenize(text, { trim_blocks: trimBlocks, lstrip_blocks: trimBlocks });
  checkNesting(tokens);
  const root = parse(tokens);
  return { root, places: placesOf(root) };
}

export function isNode(value: unknown): value is JinjaNode {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function longestRunOfSpace(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/\s+/g)) longest = Math.max(longest, run.length);
  return longest;
}

const opening = new Set(['if', 'for', 'macro', 'call', 'filter']);
const closing = new Set(['endif', 'endfor', 'endmacro', 'endcall', 'endfilter', 'endset']);
const openBrackets = new Set(['OpenParen', 'OpenSquareBracket', 'OpenCurlyBracket']);
const closeBrackets = new Set(['CloseParen', 'CloseSquareBracket', 'CloseCurlyBracket']);
const chained = new Set(['OpenParen', 'UnaryOperator', 'AdditiveBinaryOperator']);

function checkNesting(tokens: readonly Token[]): void {
  let brackets = 0;
  let chain = 0;
  /** What each block that is open adds: itself and, of an `if`, one for each `elif`. */
  const blocks: number[] = [];
  let inBlocks = 0;
  const check = (): void => {
    if (brackets + inBlocks > deepestNesting) {
      throw new JinjaLimit(`nests brackets or blocks more than ${deepestNesting} deep`);
    }
    if (chain > longestChain) {
      throw new JinjaLimit(`has more than ${longestChain} signs in one expression`);
    }
  };
  for (const [i, { type, value }] of tokens.entries()) {
    if (type === 'OpenStatement' || type === 'OpenExpression') {
      brackets = 0;
      chain = 0;
    }
    if (openBrackets.has(type)) brackets++;
    if (closeBrackets.has(type)) brackets--;
    if (chained.has(type) || value === 'not' || value === 'else') chain++;
    const word = type === 'OpenStatement' ? (tokens[i + 1]?.value ?? '') : '';
    if (opening.has(word) || (word === 'set' && isBlockSet(tokens, i))) {
      blocks.push(1);
      inBlocks++;
    } else if (word === 'elif') {
      blocks.push((blocks.pop() ?? 0) + 1);
      inBlocks++;
    } else if (closing.has(word)) {
      inBlocks -= blocks.pop() ?? 0;
    }
    check();
  }
}

/** Whether the tag at `start` is `{% set name %}`, which an `endset` ends. */
function isBlockSet(tokens: readonly Token[], start: number): boolean {
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    const type = tokens[i]?.type ?? '';
    if (type === 'CloseStatement') return true;
    if (openBrackets.has(type)) depth++;
    if (closeBrackets.has(type)) depth--;
    if (type === 'Equals' && depth === 0) return false;
  }
  return true;
}

function placesOf(root: Program): Map<object, NodePlace> {
  const places = new Map<object, NodePlace>();
  const open: { node: object; depth: number }[] = [{ node: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next;
    if (depth > deepestProgram) {
      throw new JinjaLimit(`is more than ${deepestProgram} levels deep`);
    }
    if (!isNode(node)) continue;
    for (const [field, value] of Object.entries(node)) {
      for (const child of childrenIn(value)) {
        places.set(child, { parent: node, field });
        open.push({ node: child, depth: depth + 1 });
      }
    }
  }
  return places;
}

function childrenIn(value: unknown): JinjaNode[] {
  if (Array.isArray(value)) return value.filter(isNode);
  if (value instanceof Map) return [...value.entries()].flat().filter(isNode);
  return isNode(value) ? [value] : [];
}
