import { describe, expect, it, vi } from 'vitest';
import type { InspectorState, SampleTokens } from '../../../src/protocol/inspector.js';
import { describeSamples, histogram, quartiles } from '../../../webview-ui/inspector/statistics.js';
import {
  emptyStore,
  memo,
  shownSamples,
  toggleExpanded,
  withSamples,
  withState,
} from '../../../webview-ui/inspector/store.js';
import { createTokenSource } from '../../../webview-ui/inspector/tokens.js';
import { makeSamples } from '../../support/inspectorSamples.js';

const made = makeSamples(6).map(({ summary }) => summary);
const host = (selected: string, excluded: number[] = []): InspectorState => ({
  runs: [],
  selected,
  excluded,
});

describe('what the inspector knows', () => {
  it('gathers samples in pieces, and drops what came before a first piece', () => {
    let store = withState(emptyStore, host('a'));
    store = withSamples(store, { runId: 'a', first: true, samples: made.slice(0, 2) });
    store = withSamples(store, { runId: 'a', first: false, samples: made.slice(2, 3) });
    expect(shownSamples(store)).toEqual(made.slice(0, 3));
    store = withSamples(store, { runId: 'a', first: true, samples: made.slice(4) });
    expect(shownSamples(store)).toEqual(made.slice(4));
  });

  it('shows samples that came before the news of their run, and none of another run', () => {
    let store = withState(emptyStore, host('a'));
    store = withSamples(store, { runId: 'a', first: true, samples: made });
    store = withSamples(store, { runId: 'b', first: true, samples: made.slice(0, 1) });
    expect(shownSamples(store)).toEqual([]);
    store = withSamples(store, { runId: 'a', first: false, samples: made });
    store = withState(store, host('b'));
    expect(shownSamples(store)).toEqual(made.slice(0, 1));
  });

  it('forgets on another run what was opened and what could be undone', () => {
    let store = withState(emptyStore, host('a'));
    store = withSamples(store, { runId: 'a', first: true, samples: made });
    store = { ...toggleExpanded(store, 3), undo: [1] };
    expect(withState(store, host('a')).expanded).toEqual(new Set([3]));
    const next = withState(store, host('b'));
    expect([next.expanded.size, next.undo, shownSamples(next)]).toEqual([0, undefined, []]);
  });

  it('keeps the set of excluded samples where nothing changed, so that nothing is sorted anew', () => {
    const store = withState(emptyStore, host('a', [1, 2]));
    expect(withState(store, host('a', [2, 1])).excluded).toBe(store.excluded);
    expect(withState(store, host('a', [1, 3])).excluded).toEqual(new Set([1, 3]));
  });

  it('computes again only for other arguments', () => {
    const compute = vi.fn((a: number, b: number) => a + b);
    const remembered = memo(compute);
    expect([remembered(1, 2), remembered(1, 2), remembered(1, 3)]).toEqual([3, 3, 4]);
    expect(compute).toHaveBeenCalledTimes(2);
  });
});

describe('numbers about the set', () => {
  it('weigh samples by their tokens where tokens are meant', () => {
    const [first, second] = made;
    if (!first || !second) throw new Error('no samples');
    const numbers = describeSamples([
      { ...first, length: 1, meanLogprob: -2, stop: 'eos', repetition: 0 },
      { ...second, length: 3, meanLogprob: -1, stop: 'length', repetition: 0.5 },
    ]);
    expect(numbers).toMatchObject({ samples: 2, tokens: 4, meanLength: 2, ended: 0.5 });
    expect(numbers?.perplexity).toBeCloseTo(Math.exp(5 / 4), 12);
    expect(numbers?.meanRepetition).toBe(0.25);
    expect(describeSamples([])).toBeUndefined();
  });

  it('have quartiles and counts that hold every value', () => {
    expect(quartiles([4, 1, 3, 2, 5])).toEqual({ min: 1, q25: 2, median: 3, q75: 4, max: 5 });
    expect(quartiles([1, 2]).median).toBe(1.5);
    expect(histogram([0, 1, 2, 3, 4], 2)).toEqual([2, 3]);
    expect(histogram([7, 7], 3)).toEqual([2, 0, 0]);
  });
});

describe('the tokens of samples in sight', () => {
  const tokensOf = (index: number): SampleTokens => ({ index, pieces: ['a'], logprobs: [-1] });
  /** Lets promises that are settled be heard. */
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

  it('are asked for once, one question at a time, and what is wanted by then is asked next', async () => {
    const asked: number[][] = [];
    const answers: (() => void)[] = [];
    const source = createTokenSource({
      fetch: (indices) => {
        asked.push(indices);
        return new Promise((resolve) => answers.push(() => resolve(indices.map(tokensOf))));
      },
      onArrival: () => undefined,
      onProblem: () => undefined,
    });
    source.want([1, 2]);
    source.want([50, 51]);
    source.want([2, 3]);
    expect(asked).toEqual([[1, 2]]);
    answers[0]?.();
    await settle();
    expect(asked).toEqual([[1, 2], [3]]);
    expect(source.get(1)).toEqual(tokensOf(1));
  });

  it('are dropped when long unseen, and never while they are in sight', async () => {
    const source = createTokenSource({
      fetch: (indices) => Promise.resolve(indices.map(tokensOf)),
      onArrival: () => undefined,
      onProblem: () => undefined,
      capacity: 3,
    });
    for (const wanted of [
      [1, 2],
      [1, 3],
      [4, 5, 1],
    ]) {
      source.want(wanted);
      await settle();
    }
    expect([1, 2, 3, 4, 5].map((index) => source.get(index)?.index)).toEqual([
      1,
      undefined,
      undefined,
      4,
      5,
    ]);
  });

  it('are not asked for over and over where they cannot be had, and the problem is told', async () => {
    const fetch = vi.fn(() => Promise.reject(new Error('gone')));
    const onProblem = vi.fn();
    const source = createTokenSource({ fetch, onArrival: () => undefined, onProblem });
    source.want([1]);
    await settle();
    source.want([1]);
    await settle();
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(onProblem).toHaveBeenCalledTimes(1);
    source.reset();
    source.want([1]);
    await settle();
    expect(fetch).toHaveBeenCalledTimes(2);
  });
});
