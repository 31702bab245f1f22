/**
 * The exact value of one token, beside it: on hover, and where the arrow keys stand. There is one
 * such box for the page; a title on each of thousands of tokens would come late and never by key.
 */
import { formatNumber } from '../../src/protocol/format.js';
import type { SampleTokens } from '../../src/protocol/inspector.js';
import { formatProbability, tokenName } from './text.js';

export interface Tooltip {
  show(token: Element, tokens: SampleTokens, at: number): void;
  hide(): void;
}

export function createTooltip(parent: HTMLElement): Tooltip {
  const box = document.createElement('div');
  box.className = 'tooltip';
  box.hidden = true;
  // What it says is announced apart, where keys ask for it.
  box.setAttribute('aria-hidden', 'true');
  const [name, value, place] = ['strong', 'span', 'span'].map((tag) => document.createElement(tag));
  for (const part of [name, value, place]) if (part) box.append(part);
  place?.classList.add('muted');
  parent.append(box);

  return {
    show: (token, tokens, at) => {
      const { pieces, logprobs } = tokens;
      if (name) name.textContent = tokenName(pieces[at] ?? '');
      if (value) value.textContent = valueText(logprobs[at] ?? 0);
      if (place) place.textContent = `token ${at + 1} of ${pieces.length}`;
      box.hidden = false;
      const around = token.getClientRects()[0] ?? token.getBoundingClientRect();
      const { width, height } = box.getBoundingClientRect();
      const left = Math.min(around.left, window.innerWidth - width - 4);
      const below = around.bottom + 4;
      const fits = below + height < window.innerHeight;
      box.style.left = `${Math.max(4, left)}px`;
      box.style.top = `${fits ? below : around.top - height - 4}px`;
    },
    hide: () => {
      box.hidden = true;
    },
  };
}

/** What is said of a token to those who do not see the box. */
export function tokenSentence({ pieces, logprobs }: SampleTokens, at: number): string {
  const place = `token ${at + 1} of ${pieces.length}`;
  return `${tokenName(pieces[at] ?? '')}: ${valueText(logprobs[at] ?? 0)}, ${place}`;
}

function valueText(logprob: number): string {
  return `log-probability ${formatNumber(logprob, 4)}, probability ${formatProbability(logprob)}`;
}
