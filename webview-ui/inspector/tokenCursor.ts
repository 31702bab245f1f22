/**
 * Where pointer and arrow keys are among the tokens of a sample, and the exact value shown there.
 * The keys' value is also announced, since the tokens themselves are hidden from screen readers.
 */
import type { TokenSource } from './tokens.js';
import { createTooltip, tokenSentence } from './tooltip.js';

export interface TokenCursorOptions {
  list: HTMLElement;
  tokens: TokenSource;
  announce: (text: string) => void;
}

export interface TokenCursor {
  /** Goes to the next or the previous token; `hidden` where the row does not show that far. */
  walk(index: number, by: 1 | -1): 'moved' | 'hidden' | 'end';
  /** Forgets the token; the next walk begins at the first. */
  leave(): void;
  /** The rows moved: the value moves along with its token, or goes with the pointer's. */
  follow(): void;
  /** The rows were redrawn: marks the token again. */
  refresh(): void;
}

export function createTokenCursor({ list, tokens, announce }: TokenCursorOptions): TokenCursor {
  const tooltip = createTooltip(document.body);
  let standing: { index: number; at: number } | undefined;
  let marked: Element | undefined;

  const textOf = (index: number): HTMLElement | null =>
    list.querySelector<HTMLElement>(`[data-sample="${index}"] .text`);
  const spanOf = (text: HTMLElement, at: number): Element | undefined =>
    text.children[at - firstOf(text)];

  /** Shows the value of the token that the keys are at, if it is in the page. */
  const showStanding = (): boolean => {
    const sample = standing && tokens.get(standing.index);
    if (!standing || !sample || !marked?.isConnected) return false;
    tooltip.show(marked, sample, standing.at);
    return true;
  };

  const refresh = (): void => {
    const text = standing && textOf(standing.index);
    const token = standing && text ? spanOf(text, standing.at) : undefined;
    if (token === marked) return;
    marked?.classList.remove('current');
    token?.classList.add('current');
    marked = token;
  };

  list.addEventListener('pointerover', ({ target }) => {
    const token = target instanceof Element ? target.closest('.token') : null;
    const text = token?.closest<HTMLElement>('.text');
    const row = text?.closest<HTMLElement>('.sample');
    const sample = row ? tokens.get(Number(row.dataset.sample)) : undefined;
    if (!token || !text || !sample) return tooltip.hide();
    tooltip.show(token, sample, firstOf(text) + Array.from(text.children).indexOf(token));
  });
  list.addEventListener('pointerleave', () => tooltip.hide());
  list.addEventListener('focusout', () => tooltip.hide());

  return {
    walk: (index, by) => {
      const sample = tokens.get(index);
      const text = textOf(index);
      if (!sample || !text) return 'end';
      const at = standing?.index === index ? standing.at + by : firstOf(text);
      if (at < 0 || at >= sample.pieces.length) return 'end';
      const token = spanOf(text, at);
      if (!token) return 'hidden';
      standing = { index, at };
      refresh();
      token.scrollIntoView({ block: 'nearest' });
      showStanding();
      announce(tokenSentence(sample, at));
      return 'moved';
    },
    leave: () => {
      standing = undefined;
      tooltip.hide();
      refresh();
    },
    follow: () => {
      if (!list.contains(document.activeElement) || !showStanding()) tooltip.hide();
    },
    refresh,
  };
}

/** The number of the first token that a row shows. */
function firstOf(text: HTMLElement): number {
  return Number(text.dataset.first);
}
