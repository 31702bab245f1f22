import { describe, expect, it } from 'vitest';
import {
  formatProbability,
  hitsIn,
  preview,
  previewTokens,
  searchedFor,
  shadeOf,
  visibleText,
} from '../../../webview-ui/inspector/text.js';

describe('texts as they are shown', () => {
  it('mark line breaks, tabs, controls and direction marks', () => {
    expect(visibleText('a\nb\r\nc')).toBe('a⏎\nb⏎\nc');
    expect(visibleText('\ta')).toBe('⇥\ta');
    expect(visibleText('\u0000\u007f\u202e\ufeff')).toBe('‹U+0000›‹U+007F›‹U+202E›‹U+FEFF›');
  });

  it('leave letters of any script, joiners and emoji alone', () => {
    const text = 'שלום می\u200cخواهم 👩\u200d🌾 <b>';
    expect(visibleText(text)).toBe(text);
  });

  it('end a preview by characters or lines, and never inside a character', () => {
    expect(preview('short')).toEqual({ text: 'short', cutBefore: false, cut: false });
    expect(preview('1\n2\n3\n4\n5\n6')).toMatchObject({ text: '1\n2\n3\n4', cut: true });
    const cut = preview(`x${'😀'.repeat(200)}`);
    expect(cut.cut).toBe(true);
    expect(cut.text).toMatch(/^x(😀)+$/u);
    expect(cut.text.length).toBeLessThanOrEqual(150);
  });

  it('show a hit that the beginning does not', () => {
    const text = `${'😀 a '.repeat(100)}the Ørnes ${'z'.repeat(300)}`;
    const shown = preview(text, searchedFor(' øRNES '));
    expect(shown).toMatchObject({ cutBefore: true, cut: true });
    expect(shown.text).toContain('a the Ørnes z');
    expect(shown.text.length).toBeLessThanOrEqual(150);
    expect(shown.text).not.toMatch(/\p{Surrogate}/u);
    expect(preview(`Ørnes ${text}`, 'ørnes').cutBefore).toBe(false);
    expect(preview(text, 'nowhere').cutBefore).toBe(false);
    expect(preview('1\n2\n3\n4\n5\n6 here\n7', 'here').text).toBe('6 here\n7');
  });

  it('find every hit, where it stands in the text as written', () => {
    expect(hitsIn('Aa b aA', 'a')).toEqual([0, 1, 5, 6]);
    // “İ” becomes two characters in lower case.
    expect(hitsIn('İİ Tarn', 'tarn')).toEqual([3]);
    expect(hitsIn('anything', '')).toEqual([]);
  });

  it('show the same of tokens as of the text', () => {
    const pieces = Array.from({ length: 100 }, (_, at) => ` word${at}`);
    const tokens = { index: 0, pieces, logprobs: pieces.map(() => 0) };
    const { start, end } = previewTokens(tokens, 'word70');
    expect(pieces.slice(start, end)).toContain(' word70');
    const shown = preview(pieces.join(''), 'word70').text;
    expect(pieces.slice(start, end).join('')).toContain(shown.slice(6, -6));
  });

  it('end a preview of tokens between two of them, with at least one', () => {
    const tokens = (pieces: string[]) => ({ index: 0, pieces, logprobs: pieces.map(() => 0) });
    expect(previewTokens(tokens(['a', 'b']))).toEqual({ start: 0, end: 2 });
    expect(previewTokens(tokens(['a'.repeat(140), 'b'.repeat(11), 'c'])).end).toBe(1);
    expect(previewTokens(tokens(['a'.repeat(500)])).end).toBe(1);
    expect(previewTokens(tokens(['a', '\n\n', '\n', '\n\n', 'b'])).end).toBe(3);
  });
});

describe('how likely a token was', () => {
  it('is shaded in six steps of its chance', () => {
    const chances = [1, 0.9, 0.6, 0.3, 0.06, 0.02, 0.001];
    expect(chances.map((chance) => shadeOf(Math.log(chance)))).toEqual([0, 0, 1, 2, 3, 4, 5]);
    expect(shadeOf(-Infinity)).toBe(5);
  });

  it('is said in percent', () => {
    expect(formatProbability(Math.log(0.954))).toBe('95.4 %');
    expect(formatProbability(Math.log(0.0123))).toBe('1.2 %');
    expect(formatProbability(0)).toBe('nearly 100 %');
    expect(formatProbability(-100)).toBe('less than 0.01 %');
  });
});
