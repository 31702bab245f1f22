/** Which BOS tokens are offered, in which order, and what a person typed instead. */
import type { ModelFacts } from '../../protocol/preview.js';

export interface BosChoice {
  id: number;
  token: string;
  /** What is special about it. */
  about?: string;
  /** Where it was found, in words. */
  detail: string;
}

/** The better one first, the one in use last. */
export function bosChoices(bos: ModelFacts['bos'], betterTokenId: number | undefined): BosChoice[] {
  const others = bos.candidates.filter(({ id }) => id !== bos.id);
  const choices = [...others, bos].map(({ id, token, reason }) => {
    const about =
      id === betterTokenId ? 'its samples read better' : id === bos.id ? 'in use' : undefined;
    return { id, token, about, detail: reason };
  });
  return choices.sort((a, b) => Number(b.id === betterTokenId) - Number(a.id === betterTokenId));
}

/** The id or the text of a token as `generation.bos` takes it; undefined for nothing. */
export function parseBos(typed: string): number | string | undefined {
  const text = typed.trim();
  if (text === '') return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}
