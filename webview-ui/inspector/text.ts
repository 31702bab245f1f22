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
const previewCharacters = 240;
const previewLines = 5;

/**
 * The beginning of a text; the whole where little would be missing. Asked for thousands of samples
 * at a time, so it looks no further than it must.
 */
export function preview(text: string): { text: string; cut: boolean } {
  let end = Math.min(text.length, previewCharacters);
  let at = -1;
  for (let line = 0; line < previewLines; line++) {
    at = text.indexOf('\n', at + 1);
    if (at < 0 || at >= end) break;
    if (line === previewLines - 1) end = at;
  }
  if (end === text.length) return { text, cut: false };
  // A pair of surrogates is not torn apart.
  if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end--;
  return { text: text.slice(0, end), cut: true };
}

/** How many of the first tokens make the preview. */
export function previewTokens({ pieces }: SampleTokens): number {
  let [characters, lines] = [0, 1];
  for (const [at, piece] of pieces.entries()) {
    characters += piece.length;
    lines += piece.split('\n').length - 1;
    if (characters > previewCharacters || lines > previewLines) return Math.max(1, at);
  }
  return pieces.length;
}

/** A token's name where it is spoken of: spaces at its edges are said. */
export function tokenName(piece: string): string {
  return piece === '' ? 'a part of a character' : `«${visibleText(piece).replaceAll('\n', '')}»`;
}

/** Least chance of each step of shading, the likeliest first; what is rarer is the last step. */
const leastChance = [0.9, 0.5, 0.2, 0.05, 0.01];
export const shadeLabels = ['≥ 90 %', '≥ 50 %', '≥ 20 %', '≥ 5 %', '≥ 1 %', '< 1 %'];

/** The step of shading, from 0 (the model was sure) to 5 (it was surprised). */
export function shadeOf(logprob: number): number {
  const step = leastChance.findIndex((least) => logprob >= Math.log(least));
  return step < 0 ? leastChance.length : step;
}

/** A chance as people read it. */
export function formatChance(logprob: number): string {
  const percent = 100 * Math.exp(logprob);
  if (percent >= 99.95) return 'nearly 100 %';
  if (percent < 0.01) return 'less than 0.01 %';
  return `${Number(percent.toPrecision(percent >= 10 ? 3 : 2))} %`;
}
