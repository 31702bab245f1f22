/** Text from outside stays text, in a terminal and in Markdown. */
import { describe, expect, it } from 'vitest';
import { createTerminal } from '../../src/cli/terminal.js';
import { createProgress } from '../../src/cli/progress.js';
import { formatTable } from '../../src/cli/table.js';
import { markdownCode, markdownText, visible, visibleLine } from '../../src/text.js';
import { hostileTexts, unseen } from '../support/hostileTexts.js';

const time = '2026-01-01T00:00:00.000Z';

describe.each(hostileTexts)('%j', (text) => {
  it('shows what cannot be seen', () => {
    expect(unseen.test(visible(text))).toBe(false);
    expect(visibleLine(text)).not.toMatch(/[\n\t]/);
    if (!unseen.test(text)) expect(visible(text)).toBe(text);
  });

  it('writes nothing to a terminal but text, and JSON that says the same', () => {
    let written = '';
    const terminal = createTerminal({
      out: (part) => (written += part),
      err: (part) => (written += part),
    });
    terminal.err(text);
    terminal.out(formatTable([['name'], [text]]));
    expect(written.slice(visible(text).length).split('\n')).toHaveLength(3);
    expect(unseen.test(written)).toBe(false);
    written = '';
    terminal.out(JSON.stringify({ [text]: text }));
    expect(unseen.test(written)).toBe(false);
    expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify({ [text]: text })));
  });

  it('lets only the program itself move the cursor of a status line', () => {
    let written = '';
    const out = (part: string): void => void (written += part);
    const terminal = { ...createTerminal({ out, err: out }), tty: true, columns: 400 };
    const progress = createProgress(terminal);
    const event = { time, step: 1, learningRate: 0, gradNorm: 0, tokens: 1 } as const;
    const rates = { tokensPerSecond: null, secondsLeft: null };
    const losses = Object.fromEntries([text, 'a'].map((id) => [id, 1]));
    progress.show({ type: 'train_step', loss: 1, losses, ...event, ...rates });
    progress.end();
    const moves = written.split('\r\u001b[K');
    expect(moves).toHaveLength(3);
    expect(unseen.test(moves.join(''))).toBe(false);
  });

  it('is a line of Markdown in which nothing is markup', () => {
    const line = markdownText(text);
    expect(line.replace(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[`*_[\]<>&|$@\n]|:\/\/|www\./);
    const code = markdownCode(text);
    const fence = /^`+/.exec(code)?.[0] ?? '';
    const inside = code.slice(fence.length, -fence.length);
    expect(code.endsWith(fence)).toBe(true);
    expect(inside.match(/`+/g) ?? []).not.toContain(fence);
    expect(code).not.toContain('\n');
  });
});
