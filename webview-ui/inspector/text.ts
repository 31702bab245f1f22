/**
 * Texts as the inspector shows them: what has no shape of its own, or would turn the line around,
 * gets a mark. A model writes such characters as readily as letters, and people look for them here.
 */
import type { SampleTokens } from '../../src/protocol/inspector.js';

/** Controls, invisible spaces and direction marks; joiners stay, since words are spelled with them. */
const unseen =
  /\r\n|[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/gu;

/** The text with every unseen character as a mark; lines still break where they did. */
export function visibleText(text: string): string {
  return text.replace(unseen, mark);
}

function mark(found: string): string {
  if (found === '\n' || found === '\r\n') return '⏎\n';
  if (found === '\t') return '⇥\t';
  const code = found.codePointAt(0) ?? 0;
  return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`;
}

/** A preview ends after so many characters or lines, whichever comes first. */
const previewCharacters = 150;
const previewLines = 4;
/** What a preview shows of the line before a hit, characters. */
const beforeHit = 40;

/** The text in lower case, each character where it was. */
export function foldCase(text: string): string {
  const folded = text.toLowerCase();
  if (folded.length === text.length) return folded;
  return Array.from(text, (character) => {
    const lower = character.toLowerCase();
    return lower.length === character.length ? lower : character;
  }).join('');
}

/** What is searched for, as `foldCase` makes the texts. */
export function searchedFor(search: string): string {
  return foldCase(search.trim());
}

/** Where `wanted`, made by `searchedFor`, begins in the text; nowhere for the empty string. */
export function hitsIn(text: string, wanted: string): number[] {
  const hits: number[] = [];
  if (wanted === '') return hits;
  const folded = foldCase(text);
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
    hits.push(at);
  }
  return hits;
}

export interface Preview {
  text: string;
  /** Whether something before and after it is left out. */
  cutBefore: boolean;
  cut: boolean;
}

/** The beginning of a text, or, if that does not show it, the first match of what is searched for. */
export function preview(text: string, wanted = ''): Preview {
  const { start, end } = previewRange(text, wanted);
  return { text: text.slice(start, end), cutBefore: start > 0, cut: end < text.length };
}

/** The tokens that make the preview: from `start` up to but without `end`. */
export function previewTokens(
  { pieces }: SampleTokens,
  wanted = '',
): { start: number; end: number } {
  const range = previewRange(pieces.join(''), wanted);
  let [start, end, characters] = [0, 0, 0];
  for (const [at, { length }] of pieces.entries()) {
    if (characters <= range.start) start = at;
    characters += length;
    if (characters <= range.end) end = at + 1;
  }
  return { start, end: Math.max(start + 1, end) };
}

/** Asked for thousands of samples at a time, so it looks no further than it must. */
function previewRange(text: string, wanted: string): { start: number; end: number } {
  const end = previewEnd(text, 0);
  if (wanted === '' || end === text.length) return { start: 0, end };
  const hit = foldCase(text).indexOf(wanted);
  if (hit < 0 || hit + wanted.length <= end) return { start: 0, end };
  const line = text.lastIndexOf('\n', hit - 1) + 1;
  const start = Math.max(line, hit - beforeHit);
  const whole = isSplitPair(text, start) ? start + 1 : start;
  return { start: whole, end: previewEnd(text, whole) };
}

function previewEnd(text: string, start: number): number {
  let end = Math.min(text.length, start + previewCharacters);
  let at = start - 1;
  for (let line = 0; line < previewLines; line++) {
    at = text.indexOf('\n', at + 1);
    if (at < 0 || at >= end) break;
    if (line === previewLines - 1) end = at;
  }
  return isSplitPair(text, end) ? end - 1 : end;
}

/** Whether a cut there would tear the two halves of one character apart. */
function isSplitPair(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text.charAt(at - 1)) && at < text.length;
}

/** A token's name where it is spoken of: spaces at its edges are said. */
export function tokenName(piece: string): string {
  return piece === '' ? 'a part of a character' : `“${visibleText(piece).replaceAll('\n', '')}”`;
}

/** Least probability of each step of shading, the likeliest first; anything rarer is the last step. */
const leastProbability = [0.9, 0.5, 0.2, 0.05, 0.01];
/** In percent. */
export const shadeLabels = ['≥ 90', '≥ 50', '≥ 20', '≥ 5', '≥ 1', '< 1'];

/** The step of shading, from 0 (the model was sure) to 5 (it was surprised). */
export function shadeOf(logprob: number): number {
  const step = leastProbability.findIndex((least) => logprob >= Math.log(least));
  return step < 0 ? leastProbability.length : step;
}

/** A probability as people read it. */
export function formatProbability(logprob: number): string {
  const percent = 100 * Math.exp(logprob);
  if (percent >= 99.95) return 'nearly 100 %';
  if (percent < 0.01) return 'less than 0.01 %';
  return `${Number(percent.toPrecision(percent >= 10 ? 3 : 2))} %`;
}
