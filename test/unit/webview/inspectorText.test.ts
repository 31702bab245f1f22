import { describe, expect, it } from 'vitest';
import {
  formatChance,
  preview,
  previewTokens,
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
    expect(preview('short')).toEqual({ text: 'short', cut: false });
    expect(preview('1\n2\n3\n4\n5\n6')).toEqual({ text: '1\n2\n3\n4\n5', cut: true });
    const cut = preview(`x${'😀'.repeat(200)}`);
    expect(cut.cut).toBe(true);
    expect(cut.text).toMatch(/^x(😀)+$/u);
    expect(cut.text.length).toBeLessThanOrEqual(240);
  });

  it('end a preview of tokens between two of them, with at least one', () => {
    const tokens = (pieces: string[]) => ({ index: 0, pieces, logprobs: pieces.map(() => 0) });
    expect(previewTokens(tokens(['a', 'b']))).toBe(2);
    expect(previewTokens(tokens(['a'.repeat(200), 'b'.repeat(41), 'c']))).toBe(1);
    expect(previewTokens(tokens(['a'.repeat(500)]))).toBe(1);
    expect(previewTokens(tokens(['a', '\n\n', '\n\n', '\n', 'b']))).toBe(3);
  });
});

describe('how likely a token was', () => {
  it('is shaded in six steps of its chance', () => {
    const chances = [1, 0.9, 0.6, 0.3, 0.06, 0.02, 0.001];
    expect(chances.map((chance) => shadeOf(Math.log(chance)))).toEqual([0, 0, 1, 2, 3, 4, 5]);
    expect(shadeOf(-Infinity)).toBe(5);
  });

  it('is said in percent', () => {
    expect(formatChance(Math.log(0.954))).toBe('95.4 %');
    expect(formatChance(Math.log(0.0123))).toBe('1.2 %');
    expect(formatChance(0)).toBe('nearly 100 %');
    expect(formatChance(-100)).toBe('less than 0.01 %');
  });
});
